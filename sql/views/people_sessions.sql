-- Grain: as in `sessions`, visits of people alone: without bots and reports of servers (P2).
SELECT * EXCLUDE (is_bot, is_report)
FROM sessions
WHERE NOT is_bot AND NOT is_report;

-- Grain: as in `event_sessions`, events of people alone (P3).
SELECT * EXCLUDE (is_bot, is_prefetch)
FROM event_sessions
WHERE NOT is_bot AND NOT is_prefetch;

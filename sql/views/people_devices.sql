-- Grain: as in `devices`, devices of people alone (P3).
SELECT * EXCLUDE (is_bot)
FROM devices
WHERE NOT is_bot;

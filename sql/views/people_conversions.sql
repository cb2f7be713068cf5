-- Grain: as in `conversions`, conversions of people alone (P3).
SELECT * EXCLUDE (is_bot)
FROM conversions
WHERE NOT is_bot;

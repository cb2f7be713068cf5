-- Grain: as in `credits`, credits of people's conversions alone (P3).
SELECT * EXCLUDE (is_bot)
FROM credits
WHERE NOT is_bot;

-- Grain: as in `refunds`, refunds of people's orders alone (P3).
SELECT * EXCLUDE (is_bot)
FROM refunds
WHERE NOT is_bot;

-- Grain: as in `orders`, orders of people alone (P3).
SELECT * EXCLUDE (is_bot)
FROM orders
WHERE NOT is_bot;

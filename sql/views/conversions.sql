-- Grain: one row per add_to_cart, and per line of a purchase that counts (A2, A9, A11).
SELECT * EXCLUDE (is_counted)
FROM conversion_facts
WHERE is_counted;

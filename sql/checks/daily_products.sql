-- `daily_products`, kept by difference, equals its sum over the rows.
WITH stored AS (FROM daily_products),

recomputed AS (FROM recompute_daily_products('events', 'order_lines'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

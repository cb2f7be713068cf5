-- `daily_tokens`, kept by difference, equals its sum over the rows.
WITH stored AS (FROM daily_tokens),

recomputed AS (FROM recompute_daily_tokens('events', 'order_lines'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

-- `daily_traffic`, kept by difference, equals its sum over the rows.
WITH stored AS (FROM daily_traffic),

recomputed AS (FROM recompute_daily_traffic('events'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

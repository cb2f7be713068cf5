-- `daily_sessions`, kept by difference, equals its sum over the rows.
WITH stored AS (FROM daily_sessions),

recomputed AS (FROM recompute_daily_sessions('sessions'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

-- Every touch equals a recompute from `events` (A1).
WITH stored AS (FROM touches),

recomputed AS (FROM recompute_touches('events'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

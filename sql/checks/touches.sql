-- Every touch equals a recompute from `events` (A1).
WITH stored AS (FROM touches),

recomputed AS (FROM recompute_touches('events') WHERE is_kept_touch(touched_at)),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Every path equals a recompute (A5).
WITH stored AS (FROM conversion_touches),

recomputed AS (
    FROM recompute_conversion_touches('events') SEMI JOIN conversions USING (conversion_key)
)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

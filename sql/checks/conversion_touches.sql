-- Every path equals a recompute (A5).
WITH stored AS (FROM conversion_touches),

recomputed AS (
    FROM recompute_conversion_touches('events') SEMI JOIN conversion_facts USING (conversion_key)
),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

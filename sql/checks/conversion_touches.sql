-- Every path equals a recompute (A5).
WITH stored AS (FROM conversion_touches WHERE has_events_of_conversion(occurred_at)),

recomputed AS (
    FROM recompute_conversion_touches('events') SEMI JOIN conversion_facts USING (conversion_key)
    WHERE has_events_of_conversion(occurred_at)
),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

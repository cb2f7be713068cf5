-- Every conversion, its match and its last touch equal a recompute (A1-A6, A9).
WITH stored AS (FROM conversions),

recomputed AS (
    FROM recompute_conversions('events')
    ANTI JOIN (
        SELECT event_key, occurred_at, line
        FROM recompute_order_lines('events') WHERE is_repeated
    ) USING (event_key, occurred_at, line)
),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Every conversion, its match, its last touch and its money equal a recompute (A1-A6, A9, A11).
WITH stored AS (FROM conversion_facts),

recomputed AS (
    SELECT c.* REPLACE (
        CASE WHEN l.event_key IS NULL THEN c.quantity ELSE l.quantity END AS quantity,
        CASE WHEN l.event_key IS NULL THEN c.revenue ELSE l.revenue END AS revenue,
        CASE WHEN l.event_key IS NULL THEN c.currency ELSE l.currency END AS currency,
        coalesce(l.is_counted, true) AS is_counted
    )
    FROM recompute_conversions('events') AS c
    LEFT JOIN recompute_order_lines() AS l
        ON c.conversion_type = 'purchase'
        AND c.event_key = l.event_key
        AND c.occurred_at = l.occurred_at
        AND c.line = l.line
),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

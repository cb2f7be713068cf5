-- Every order line, what of it counts (A9) and at whose price (A11), is what `events` say.
WITH stored AS (
    FROM order_lines
    WHERE order_key_of(store_id, order_id, event_key, occurred_at) NOT IN (FROM settled_orders)
),

recomputed AS (FROM recompute_order_lines()),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

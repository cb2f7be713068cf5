-- An order whose reports all lie before what is kept has no line, unless its session is kept; one that has gone
-- has none at all (T11).
WITH lines AS (
    SELECT *, order_key_of(store_id, order_id, event_key, occurred_at) AS order_key
    FROM order_lines
),

gone AS (
    SELECT held.order_key
    FROM lines AS held
    LEFT JOIN sessions AS s
        ON s.store_id = held.store_id
        AND s.device_key = held.device_key
        AND s.session_id = held.session_id
        AND held.occurred_at BETWEEN s.started_at AND s.ended_at
    GROUP BY held.order_key
    HAVING bool_and(NOT is_kept(held.occurred_at) AND s.session_key IS NULL)
    UNION
    SELECT order_key FROM expired_orders
)

SELECT store_id, order_id, event_key, line, occurred_at
FROM lines SEMI JOIN gone USING (order_key);

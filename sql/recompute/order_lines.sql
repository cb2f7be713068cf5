-- Grain: one row per line of a purchase or refund in `source`, a relation shaped like `events`.
-- A9: of the purchases that name one (store, order, product, variant) those of the first in T5
-- order count; the others are repeated. So do refunds, by their refund id as well (A8). What names no
-- order, or no refund, is its own event.
CREATE OR REPLACE TEMP MACRO recompute_order_lines(source) AS TABLE
WITH orders AS (
    SELECT
        *,
        -- The event's own product is a one-line order.
        coalesce(
            items,
            [{
                'product_id': product_id,
                'variant_id': variant_id,
                'quantity': quantity,
                'price': price,
                'attribution_token': NULL
            }]
        ) AS ordered
    FROM query_table(source)
    WHERE event_type IN ('purchase', 'refund')
),

lines AS (
    SELECT
        * EXCLUDE (product_id, variant_id, quantity, price, attribution_token),
        attribution_token AS event_token,
        CASE event_type WHEN 'refund' THEN refund_id ELSE order_id END AS named,
        unnest(ordered, recursive := true),
        generate_subscripts(ordered, 1) - 1 AS line
    FROM orders
),

counted AS (
    SELECT
        *,
        min({'at': occurred_at, 'key': event_key}) OVER (
            PARTITION BY store_id, named, order_id, product_id, variant_id, event_type
        ) AS first_event
    FROM lines
)

SELECT
    store_id,
    event_key,
    CAST(line AS INTEGER) AS line,
    order_id,
    refund_id,
    occurred_at,
    device_key,
    session_id,
    product_id,
    variant_id,
    quantity,
    price,
    CASE WHEN price IS NOT NULL THEN currency END AS currency,
    CAST(price * quantity AS DECIMAL(18, 4)) AS revenue,
    coalesce(attribution_token, event_token) AS attribution_token,
    is_bot,
    event_type = 'refund' AS is_refund,
    named IS NOT NULL AND first_event <> {'at': occurred_at, 'key': event_key} AS is_repeated
FROM counted;

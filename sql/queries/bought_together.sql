-- Which products are bought together? Optional: $store, $first, $last. The first 20 pairs per store.
-- Pairs of products in one order; an order without an id is its event.
WITH bought AS (
    SELECT DISTINCT
        store_id, product_id, coalesce(order_id, '') AS order_id,
        CASE WHEN order_id IS NULL THEN event_key END AS own_event
    FROM people_order_lines
    WHERE ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

pairs AS (
    SELECT one.store_id, one.product_id, two.product_id AS other_product_id, count(*) AS orders_with_both
    FROM bought AS one
    JOIN bought AS two
        ON one.store_id = two.store_id
        AND one.order_id = two.order_id
        AND one.own_event IS NOT DISTINCT FROM two.own_event
        AND one.product_id < two.product_id
    GROUP BY one.store_id, one.product_id, two.product_id
    QUALIFY row_number() OVER (
        PARTITION BY one.store_id ORDER BY count(*) DESC, one.product_id, two.product_id
    ) <= 20
)

SELECT
    p.store_id, p.product_id, c.title, p.other_product_id, other.title AS other_title, p.orders_with_both
FROM pairs AS p
LEFT JOIN catalog AS c
    ON p.store_id = c.store_id AND c.kind = 'product' AND CAST(p.product_id AS VARCHAR) = c.id
LEFT JOIN catalog AS other
    ON p.store_id = other.store_id AND other.kind = 'product' AND CAST(p.other_product_id AS VARCHAR) = other.id
ORDER BY p.store_id, p.orders_with_both DESC, p.product_id, p.other_product_id;

-- Which products are bought together? Optional: $store, $first, $last. The first 20 pairs per store.
-- Pairs of products in one order; an order without an id is its event.
WITH bought AS (
    SELECT DISTINCT
        store_id, product_id, coalesce(order_id, '') AS order_id,
        CASE WHEN order_id IS NULL THEN event_key END AS own_event
    FROM people_order_lines
    WHERE ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
)

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
ORDER BY one.store_id, orders_with_both DESC, one.product_id, other_product_id;

-- Which products are clicked and bought most? Optional: $store, $first, $last. The first 20 per store.
WITH found AS (
    SELECT
        store_id,
        product_id,
        CAST(sum(product_impressions) AS BIGINT) AS product_impressions,
        CAST(sum(product_clicks) AS BIGINT) AS product_clicks,
        CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
        CAST(sum(order_lines) AS BIGINT) AS order_lines,
        round(100.0 * sum(product_clicks) / nullif(sum(product_impressions), 0), 2) AS clicks_per_impression_percent
    FROM products
    WHERE ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY store_id, product_id
    QUALIFY row_number() OVER (PARTITION BY store_id ORDER BY sum(product_clicks) DESC, product_id) <= 20
)

SELECT
    f.store_id,
    f.product_id,
    c.title,
    f.product_impressions,
    f.product_clicks,
    f.add_to_carts,
    f.order_lines,
    f.clicks_per_impression_percent
FROM found AS f
LEFT JOIN catalog AS c
    ON f.store_id = c.store_id AND c.kind = 'product' AND CAST(f.product_id AS VARCHAR) = c.id
ORDER BY f.store_id, f.product_clicks DESC, f.product_id;

-- Which products are clicked and bought most? Optional: $store. The first 20 per store.
SELECT
    store_id,
    product_id,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(purchases) AS BIGINT) AS purchases,
    round(100.0 * sum(clicks) / nullif(sum(impressions), 0), 2) AS click_percent
FROM products
WHERE $store IS NULL OR store_id = $store
GROUP BY store_id, product_id
QUALIFY row_number() OVER (PARTITION BY store_id ORDER BY sum(clicks) DESC, product_id) <= 20
ORDER BY store_id, clicks DESC, product_id;

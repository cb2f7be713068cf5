-- Grain: one row per store, day and product; rates are NULL without impressions. Without bots.
SELECT
    store_id,
    day,
    product_id,
    CAST(sum(product_impressions) AS BIGINT) AS product_impressions,
    CAST(sum(product_clicks) AS BIGINT) AS product_clicks,
    CAST(sum(product_views) AS BIGINT) AS product_views,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(order_lines) AS BIGINT) AS order_lines,
    CAST(sum(units) AS BIGINT) AS units,
    sum(product_clicks) / nullif(sum(product_impressions), 0) AS clicks_per_impression,
    sum(add_to_carts) / nullif(sum(product_impressions), 0) AS add_to_carts_per_impression,
    sum(order_lines) / nullif(sum(product_impressions), 0) AS order_lines_per_impression
FROM daily_products
WHERE NOT is_bot
GROUP BY store_id, day, product_id;

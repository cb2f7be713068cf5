-- Grain: one row per store, day and product; rates are NULL without impressions. Without bots.
SELECT
    store_id,
    day,
    product_id,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    CAST(sum(views) AS BIGINT) AS views,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(purchases) AS BIGINT) AS purchases,
    CAST(sum(quantity) AS BIGINT) AS units,
    sum(clicks) / nullif(sum(impressions), 0) AS clicks_per_impression,
    sum(add_to_carts) / nullif(sum(impressions), 0) AS add_to_carts_per_impression,
    sum(purchases) / nullif(sum(impressions), 0) AS purchases_per_impression
FROM daily_products
WHERE NOT is_bot
GROUP BY store_id, day, product_id;

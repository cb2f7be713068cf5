-- The most clicked products of $store from $first to $last, without bots. Grain: one row per product.
WITH by_currency AS (
    SELECT
        product_id, currency,
        sum(product_impressions) AS impressions, sum(product_clicks) AS clicks,
        sum(product_views) AS views,
        sum(add_to_carts) AS add_to_carts, sum(units) AS units, sum(gross_revenue) AS revenue
    FROM daily_products
    WHERE
        store_id = $store AND NOT is_bot
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    GROUP BY product_id, currency
)

SELECT
    CAST(product_id AS VARCHAR) AS product,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    sum(clicks) / nullif(sum(impressions), 0) AS click_rate,
    CAST(sum(views) AS BIGINT) AS views,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(units) AS BIGINT) AS sold,
    -- A list, for money of two currencies has no sum.
    list({'currency': currency, 'revenue': revenue} ORDER BY currency)
        FILTER (WHERE currency IS NOT NULL) AS revenue
FROM by_currency
GROUP BY product_id
ORDER BY clicks DESC, views DESC, product_id
LIMIT 10;

-- Grain: one row per store, day, product, conversion type, match and currency. Without bots.
SELECT
    store_id,
    day,
    product_id,
    conversion_type,
    match,
    currency,
    count(*) AS conversions,
    CAST(sum(quantity) AS BIGINT) AS conversion_units,
    sum(revenue) AS attributed_revenue
FROM conversions
WHERE NOT is_bot
GROUP BY ALL;

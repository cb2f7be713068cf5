-- Grain: one row per store, day and attribution token of the events. Without bots.
SELECT
    store_id,
    day,
    attribution_token,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(block_views) AS BIGINT) AS block_views,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(purchases) AS BIGINT) AS purchases,
    sum(clicks) / nullif(sum(impressions), 0) AS clicks_per_impression
FROM daily_tokens
WHERE NOT is_bot
GROUP BY store_id, day, attribution_token;

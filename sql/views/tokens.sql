-- Grain: one row per store, UTC day and attribution token that events carry; bots left out.
SELECT
    store_id,
    day,
    attribution_token,
    sum(searches) AS searches,
    sum(block_views) AS block_views,
    sum(impressions) AS impressions,
    sum(clicks) AS clicks,
    sum(add_to_carts) AS add_to_carts,
    sum(purchases) AS purchases,
    sum(clicks) / nullif(sum(impressions), 0) AS clicks_per_impression
FROM daily_tokens
WHERE NOT is_bot
GROUP BY store_id, day, attribution_token;

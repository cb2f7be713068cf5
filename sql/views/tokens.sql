-- Grain: one row per store, day and attribution token of the events. Without bots.
SELECT
    store_id,
    day,
    attribution_token,
    CAST(sum(token_list_views) AS BIGINT) AS token_list_views,
    CAST(sum(token_block_views) AS BIGINT) AS token_block_views,
    CAST(sum(token_impressions) AS BIGINT) AS token_impressions,
    CAST(sum(token_clicks) AS BIGINT) AS token_clicks,
    CAST(sum(token_add_to_carts) AS BIGINT) AS token_add_to_carts,
    CAST(sum(token_order_lines) AS BIGINT) AS token_order_lines,
    sum(token_clicks) / nullif(sum(token_impressions), 0) AS token_clicks_per_impression
FROM daily_tokens
WHERE NOT is_bot
GROUP BY store_id, day, attribution_token;

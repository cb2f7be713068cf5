-- The most clicked attribution tokens of $store from $first to $last, without bots. Grain: one per token.
WITH by_currency AS (
    SELECT
        attribution_token, currency,
        sum(token_impressions) AS impressions, sum(token_clicks) AS clicks,
        sum(token_add_to_carts) AS add_to_carts, sum(token_units) AS units,
        sum(token_revenue) AS revenue
    FROM daily_tokens
    WHERE
        store_id = $store AND NOT is_bot
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    GROUP BY attribution_token, currency
)

SELECT
    attribution_token AS token,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    sum(clicks) / nullif(sum(impressions), 0) AS click_rate,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(units) AS BIGINT) AS sold,
    list({'currency': currency, 'revenue': revenue} ORDER BY currency)
        FILTER (WHERE currency IS NOT NULL) AS revenue
FROM by_currency
GROUP BY attribution_token
ORDER BY clicks DESC, impressions DESC, attribution_token
LIMIT 10;

-- The most clicked attribution tokens of $store from $first to $last, without bots. Grain: one per token.
WITH by_currency AS (
    SELECT
        attribution_token, currency,
        sum(impressions) AS impressions, sum(clicks) AS clicks,
        sum(add_to_carts) AS add_to_carts, sum(quantity) AS quantity, sum(revenue) AS revenue
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
    CAST(sum(quantity) AS BIGINT) AS sold,
    list({'currency': currency, 'revenue': revenue} ORDER BY currency)
        FILTER (WHERE currency IS NOT NULL) AS revenue
FROM by_currency
GROUP BY attribution_token
ORDER BY clicks DESC, impressions DESC, attribution_token
LIMIT 10;

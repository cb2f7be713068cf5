-- Grain: one row per store, day, conversion type, match, last-touch token and currency (A4).
-- Unattributed conversions have rows too, so the totals are all conversions. Without bots.
SELECT
    store_id,
    day,
    conversion_type,
    match,
    attribution_token,
    currency,
    CAST(sum(conversions) AS BIGINT) AS conversions,
    CAST(sum(conversion_units) AS BIGINT) AS conversion_units,
    CASE WHEN currency IS NOT NULL THEN sum(attributed_revenue) END AS attributed_revenue
FROM daily_attribution
WHERE NOT is_bot
GROUP BY store_id, day, conversion_type, match, attribution_token, currency;

-- Grain: one row per store, day, model, conversion type, match, token and currency (A7, A8).
-- Unattributed conversions have rows too, so each model's totals are all revenue. Bots are counted
-- only in `bot_conversions`. A refund counts on its own day.
WITH parts AS (
    SELECT
        store_id, day, model, conversion_type, match, attribution_token, currency, is_bot,
        weight, credit, CAST(0 AS DECIMAL(38, 4)) AS refund
    FROM credits
    UNION ALL
    SELECT
        store_id, day, model, 'purchase', match, attribution_token, currency, is_bot, 0, 0, credit
    FROM refund_credits
)

SELECT
    store_id, day, model, conversion_type, match, attribution_token, currency,
    coalesce(sum(weight) FILTER (WHERE NOT is_bot), 0) AS conversions,
    CASE WHEN currency IS NOT NULL THEN coalesce(sum(credit) FILTER (WHERE NOT is_bot), 0) END
        AS attributed_revenue,
    CASE WHEN currency IS NOT NULL THEN coalesce(sum(refund) FILTER (WHERE NOT is_bot), 0) END
        AS attributed_refunds,
    CASE
        WHEN currency IS NOT NULL THEN coalesce(sum(credit - refund) FILTER (WHERE NOT is_bot), 0)
    END AS attributed_net_revenue,
    coalesce(sum(weight) FILTER (WHERE is_bot), 0) AS bot_conversions
FROM parts
GROUP BY store_id, day, model, conversion_type, match, attribution_token, currency;

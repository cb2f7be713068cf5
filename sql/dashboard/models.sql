-- Grain: one row per token that the chosen model gives purchases to, and one without a token for all that it gives to
-- none (A7, A8), as in `attribution_models`. A refund counts on its own day. The first 5,000.
WITH sold AS NOT MATERIALIZED (
    FROM snapshot.main.conversions
    WHERE conversion_type = 'purchase' AND NOT is_bot
        AND (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
),

shared AS NOT MATERIALIZED (FROM sold WHERE touches > 1),

refunded AS (
    FROM snapshot.main.refunds
    WHERE taken > 0
        AND (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
),

-- By a number an order: all others are as many as the store has ever had.
lines_of_refunded AS NOT MATERIALIZED (
    FROM snapshot.main.order_lines
    WHERE order_hash IN (SELECT order_hash_of(store_id, order_id) FROM refunded)
),

parts AS (
    SELECT attribution_token, currency, weight, credit, 0 AS refund
    FROM credits_of('shared')
    WHERE model = getvariable('model')
    UNION ALL
    -- One touch, or none, has all by each model. Nearly all conversions are of these, and to divide takes longest.
    SELECT coalesce(last_touch_token, attribution_token), currency, 1, revenue, 0
    FROM sold
    WHERE touches <= 1
    UNION ALL
    SELECT attribution_token, currency, 0, 0, credit
    FROM refund_credits_of('refunded', 'lines_of_refunded')
    WHERE model = getvariable('model') AND NOT is_bot
),

by_currency AS (
    SELECT
        attribution_token, currency,
        sum(weight) AS conversions,
        CASE WHEN currency IS NOT NULL THEN coalesce(sum(credit), 0) END AS gross,
        CASE WHEN currency IS NOT NULL THEN coalesce(sum(credit - refund), 0) END AS net
    FROM parts
    GROUP BY attribution_token, currency
)

SELECT
    attribution_token,
    CAST(sum(conversions) AS DOUBLE) AS conversions,
    list({'currency': currency, 'amount': gross} ORDER BY gross DESC, currency) FILTER (WHERE currency IS NOT NULL)
        AS attributed_revenue,
    list({'currency': currency, 'amount': net} ORDER BY net DESC, currency) FILTER (WHERE currency IS NOT NULL)
        AS attributed_net_revenue
FROM by_currency
GROUP BY attribution_token
HAVING sum(conversions) > 0 OR sum(net) <> 0
ORDER BY attribution_token IS NULL, max(gross) DESC, attribution_token
LIMIT 5000;

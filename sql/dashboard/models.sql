-- Grain: one row per token that the chosen model gives purchases to, and one without a token for all that it gives to
-- none (A7, A8). A refund counts on its own day. The first 5,000.
WITH by_currency AS (
    SELECT
        attribution_token, currency,
        sum(conversions) AS conversions, sum(attributed_revenue) AS gross, sum(attributed_net_revenue) AS net
    FROM snapshot.main.attribution_models
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
        AND model = getvariable('model') AND conversion_type = 'purchase'
    GROUP BY ALL
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

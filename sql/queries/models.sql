-- What does each token earn by each model of attribution? Optional: $store, $first, $last. The first 20 per currency.
-- Before refunds. The row without a token has what no token earned: all rows together are all revenue.
WITH sold AS NOT MATERIALIZED (
    FROM conversions
    WHERE conversion_type = 'purchase' AND NOT is_bot AND currency IS NOT NULL
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

shared AS (FROM sold WHERE touches > 1),

credited AS (
    SELECT store_id, currency, attribution_token, model, credit
    FROM credits_of('shared')
    UNION ALL
    -- One touch, or none, has all by each model. Nearly all conversions are of these, and to divide takes longest.
    SELECT
        store_id, currency, coalesce(last_touch_token, attribution_token),
        unnest(['last', 'first', 'linear', 'position', 'time_decay']), revenue
    FROM sold
    WHERE touches <= 1
)

SELECT
    store_id,
    currency,
    attribution_token,
    coalesce(sum(credit) FILTER (WHERE model = 'last'), 0) AS last_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'first'), 0) AS first_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'linear'), 0) AS linear_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'position'), 0) AS position_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'time_decay'), 0) AS time_decay_revenue
FROM credited
WHERE credit <> 0
GROUP BY store_id, currency, attribution_token
QUALIFY row_number() OVER (
    PARTITION BY store_id, currency ORDER BY last_revenue DESC, linear_revenue DESC, attribution_token
) <= 20
ORDER BY store_id, currency, last_revenue DESC, linear_revenue DESC, attribution_token;

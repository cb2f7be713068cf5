-- What does each token earn by each model of attribution? Optional: $store, $first, $last. The first 20 per currency.
-- Before refunds. The row without a token has what no token earned: all rows together are all revenue.
SELECT
    store_id,
    currency,
    attribution_token,
    coalesce(sum(credit) FILTER (WHERE model = 'last'), 0) AS last_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'first'), 0) AS first_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'linear'), 0) AS linear_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'position'), 0) AS position_revenue,
    coalesce(sum(credit) FILTER (WHERE model = 'time_decay'), 0) AS time_decay_revenue
FROM people_credits
WHERE conversion_type = 'purchase' AND credit <> 0 AND currency IS NOT NULL
    AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, currency, attribution_token
QUALIFY row_number() OVER (
    PARTITION BY store_id, currency ORDER BY last_revenue DESC, linear_revenue DESC, attribution_token
) <= 20
ORDER BY store_id, currency, last_revenue DESC, linear_revenue DESC, attribution_token;

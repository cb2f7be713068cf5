-- Which attribution tokens earn most? Optional: $store, $first, $last. The first 20 per currency.
SELECT
    store_id,
    attribution_token,
    currency,
    CAST(sum(conversions) AS BIGINT) AS conversions,
    sum(attributed_revenue) AS attributed_revenue
FROM attribution
WHERE attribution_token IS NOT NULL
    AND conversion_type = 'purchase'
    AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, attribution_token, currency
QUALIFY row_number() OVER (PARTITION BY store_id, currency ORDER BY sum(attributed_revenue) DESC NULLS LAST) <= 20
ORDER BY store_id, currency, attributed_revenue DESC NULLS LAST, attribution_token;

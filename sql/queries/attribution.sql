-- Which conversions are attributed to clicks, and what are they worth? Optional: $store, $first, $last.
SELECT
    store_id,
    conversion_type,
    match,
    currency,
    CAST(sum(conversions) AS BIGINT) AS conversions,
    sum(attributed_revenue) AS attributed_revenue
FROM attribution
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, conversion_type, match, currency
ORDER BY store_id, conversion_type, match, currency;

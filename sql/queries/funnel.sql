-- How far do sessions get, per store? Optional: $store, $first, $last.
SELECT
    store_id,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(saw_products) AS BIGINT) AS saw_products,
    CAST(sum(clicked) AS BIGINT) AS clicked,
    CAST(sum(added_to_cart) AS BIGINT) AS added_to_cart,
    CAST(sum(bought) AS BIGINT) AS bought,
    round(100.0 * sum(bought) / nullif(sum(sessions), 0), 2) AS conversion_percent
FROM funnel
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id
ORDER BY store_id;

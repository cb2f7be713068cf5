-- How far do sessions go, per store? Optional: $store, $since (a day).
SELECT
    store_id,
    sum(sessions) AS sessions,
    sum(saw_products) AS saw_products,
    sum(clicked) AS clicked,
    sum(added_to_cart) AS added_to_cart,
    sum(bought) AS bought,
    round(100.0 * sum(bought) / nullif(sum(sessions), 0), 2) AS conversion_percent
FROM funnel
WHERE ($store IS NULL OR store_id = $store)
    AND ($since IS NULL OR day >= CAST($since AS DATE))
GROUP BY store_id
ORDER BY store_id;

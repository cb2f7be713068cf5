-- How far do sessions get, by channel and day? Optional: $store, $first, $last.
-- A session is of the day on which it starts, and a step does not need the one before it.
SELECT
    store_id,
    day,
    shopping_channel,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(with_impression) AS BIGINT) AS saw_products,
    CAST(sum(with_click) AS BIGINT) AS clicked,
    CAST(sum(with_product_view) AS BIGINT) AS viewed_a_product,
    CAST(sum(with_add_to_cart) AS BIGINT) AS added_to_cart,
    CAST(sum(converted) AS BIGINT) AS bought,
    round(100.0 * sum(converted) / sum(sessions), 2) AS conversion_percent
FROM daily_sessions
WHERE NOT is_bot AND NOT is_report
    AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, day, shopping_channel
ORDER BY store_id, day, shopping_channel;

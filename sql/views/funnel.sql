-- Grain: one row per store and UTC day of the session's start. How far people's sessions went.
SELECT
    store_id,
    day,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(with_impression) AS BIGINT) AS saw_products,
    CAST(sum(with_click) AS BIGINT) AS clicked,
    CAST(sum(with_product_view) AS BIGINT) AS viewed_a_product,
    CAST(sum(with_add_to_cart) AS BIGINT) AS added_to_cart,
    CAST(sum(converted) AS BIGINT) AS bought,
    CAST(sum(orders) AS BIGINT) AS orders,
    sum(converted) / nullif(sum(sessions), 0) AS conversion_rate
FROM daily_sessions
WHERE NOT is_bot
GROUP BY store_id, day;

-- Grain: one row per store and UTC day of the session's start. How far people's sessions went.
SELECT
    store_id,
    day,
    sum(sessions) AS sessions,
    sum(with_impression) AS saw_products,
    sum(with_click) AS clicked,
    sum(with_product_view) AS viewed_a_product,
    sum(with_add_to_cart) AS added_to_cart,
    sum(converted) AS bought,
    sum(orders) AS orders,
    sum(converted) / nullif(sum(sessions), 0) AS conversion_rate
FROM daily_sessions
WHERE NOT is_bot
GROUP BY store_id, day;

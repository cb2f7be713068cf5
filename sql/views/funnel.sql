-- Grain: one row per store and day of the session's start. How far people's sessions got. An order
-- that only a server reports counts as an order, but its session is no visit (P2).
SELECT
    store_id,
    day,
    CAST(coalesce(sum(sessions) FILTER (WHERE NOT is_report), 0) AS BIGINT) AS sessions,
    CAST(coalesce(sum(with_impression) FILTER (WHERE NOT is_report), 0) AS BIGINT) AS saw_products,
    CAST(coalesce(sum(with_click) FILTER (WHERE NOT is_report), 0) AS BIGINT) AS clicked,
    CAST(coalesce(sum(with_product_view) FILTER (WHERE NOT is_report), 0) AS BIGINT)
        AS viewed_a_product,
    CAST(coalesce(sum(with_add_to_cart) FILTER (WHERE NOT is_report), 0) AS BIGINT) AS added_to_cart,
    CAST(coalesce(sum(converted) FILTER (WHERE NOT is_report), 0) AS BIGINT) AS bought,
    CAST(sum(session_orders) AS BIGINT) AS session_orders,
    sum(converted) FILTER (WHERE NOT is_report)
        / nullif(sum(sessions) FILTER (WHERE NOT is_report), 0) AS conversion_rate
FROM daily_sessions
WHERE NOT is_bot
GROUP BY store_id, day;

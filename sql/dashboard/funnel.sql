-- Grain: one row per step, of people's sessions.
WITH counted AS (
    SELECT
        count(*) AS sessions,
        count(*) FILTER (WHERE product_impressions > 0) AS saw_products,
        count(*) FILTER (WHERE product_clicks > 0) AS clicked,
        count(*) FILTER (WHERE product_views > 0) AS viewed_a_product,
        count(*) FILTER (WHERE add_to_carts > 0) AS added_to_cart,
        count(*) FILTER (WHERE has_converted) AS bought
    FROM visits
    WHERE NOT is_bot AND NOT is_report AND day BETWEEN getvariable('first') AND getvariable('last')
)

SELECT step, sessions
FROM (
    SELECT unnest([
        {'place': 1, 'step': 'Sessions', 'sessions': sessions},
        {'place': 2, 'step': 'Saw products in a list', 'sessions': saw_products},
        {'place': 3, 'step': 'Clicked a product', 'sessions': clicked},
        {'place': 4, 'step': 'Viewed a product', 'sessions': viewed_a_product},
        {'place': 5, 'step': 'Added to the cart', 'sessions': added_to_cart},
        {'place': 6, 'step': 'Ordered', 'sessions': bought}
    ], recursive := true)
    FROM counted
)
ORDER BY place;

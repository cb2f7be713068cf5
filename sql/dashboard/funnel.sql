-- Grain: one row per step, of people's sessions.
WITH counted AS (
    SELECT
        sum(sessions) AS sessions, sum(saw_products) AS saw_products, sum(clicked) AS clicked,
        sum(viewed_a_product) AS viewed_a_product, sum(added_to_cart) AS added_to_cart, sum(bought) AS bought
    FROM visits
    WHERE NOT is_bot AND NOT is_report AND day BETWEEN getvariable('first') AND getvariable('last')
)

SELECT step, CAST(coalesce(sessions, 0) AS BIGINT) AS sessions
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

-- How far sessions of $store from $first to $last got, without bots. Grain: one row per step.
WITH visits AS (
    SELECT *
    FROM funnel
    WHERE store_id = $store AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
),

steps AS (
    SELECT 1 AS step, 'Sessions' AS label, sum(sessions) AS sessions FROM visits
    UNION ALL
    SELECT 2, 'Saw products in a list', sum(saw_products) FROM visits
    UNION ALL
    SELECT 3, 'Clicked a product', sum(clicked) FROM visits
    UNION ALL
    SELECT 4, 'Viewed a product', sum(viewed_a_product) FROM visits
    UNION ALL
    SELECT 5, 'Added to the cart', sum(added_to_cart) FROM visits
    UNION ALL
    SELECT 6, 'Ordered', sum(bought) FROM visits
)

SELECT label, CAST(coalesce(sessions, 0) AS BIGINT) AS sessions
FROM steps
ORDER BY step;

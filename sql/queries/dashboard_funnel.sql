-- How far sessions of $store from $first to $last came, without bots. Grain: one row per step.
WITH visits AS (
    SELECT *
    FROM daily_sessions
    WHERE
        store_id = $store AND NOT is_bot
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
),

steps AS (
    SELECT 1 AS step, 'Sessions' AS label, sum(sessions) AS sessions FROM visits
    UNION ALL
    SELECT 2, 'Saw products in a list', sum(with_impression) FROM visits
    UNION ALL
    SELECT 3, 'Clicked a product', sum(with_click) FROM visits
    UNION ALL
    SELECT 4, 'Viewed a product', sum(with_product_view) FROM visits
    UNION ALL
    SELECT 5, 'Added to the cart', sum(with_add_to_cart) FROM visits
    UNION ALL
    SELECT 6, 'Ordered', sum(converted) FROM visits
)

SELECT label, CAST(coalesce(sessions, 0) AS BIGINT) AS sessions
FROM steps
ORDER BY step;

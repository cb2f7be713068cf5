-- Grain: one row per period (`now`, `before`) and currency, of people. Refunds count on their own day. `orders` are
-- those with a line in that currency.
WITH periods AS (
    SELECT 'now' AS period, getvariable('first') AS first, getvariable('last') AS last, false AS cut
    UNION ALL
    SELECT 'before', getvariable('before_first'), getvariable('before_last'), true
),

parts AS (
    SELECT store_id, day, in_time, currency, order_key, revenue AS gross_revenue, 0 AS taken
    FROM sales
    WHERE NOT is_bot AND currency IS NOT NULL
    UNION ALL
    SELECT store_id, day, in_time, currency, NULL, 0, taken
    FROM returned
    WHERE NOT is_bot
)

SELECT
    period, currency,
    CAST(sum(gross_revenue) AS DECIMAL(38, 4)) AS gross_revenue,
    CAST(sum(taken) AS DECIMAL(38, 4)) AS refunds,
    count(DISTINCT order_key) AS orders
FROM parts
JOIN periods ON day BETWEEN first AND last AND (day < last OR in_time OR NOT cut)
GROUP BY ALL
ORDER BY period DESC, orders DESC, gross_revenue DESC, currency;

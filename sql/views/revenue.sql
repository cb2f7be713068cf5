-- Grain: one row per store, day and currency. Gross revenue of counted order lines (A9, A10).
SELECT
    store_id,
    day,
    currency,
    sum(revenue) AS revenue,
    CAST(sum(quantity) AS BIGINT) AS units,
    CAST(sum(purchases) AS BIGINT) AS order_lines
FROM daily_products
WHERE NOT is_bot AND currency IS NOT NULL
GROUP BY store_id, day, currency;

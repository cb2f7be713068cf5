-- Grain: one row per store, day and currency. Gross revenue of counted order lines (A9, A10).
SELECT
    store_id,
    day,
    currency,
    sum(gross_revenue) AS gross_revenue,
    CAST(sum(units) AS BIGINT) AS priced_units,
    CAST(sum(order_lines) AS BIGINT) AS priced_order_lines
FROM daily_products
WHERE NOT is_bot AND currency IS NOT NULL
GROUP BY store_id, day, currency;

-- Gross revenue of $store from $first to $last, without bots. Grain: one row per currency.
SELECT currency, sum(revenue) AS revenue
FROM daily_products
WHERE
    store_id = $store AND NOT is_bot AND currency IS NOT NULL
    AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
GROUP BY currency
ORDER BY currency;

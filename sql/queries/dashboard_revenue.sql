-- Gross revenue of $store from $first to $last, without bots. Grain: one row per currency.
SELECT currency, sum(gross_revenue) AS revenue
FROM revenue
WHERE store_id = $store AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
GROUP BY currency
ORDER BY currency;

-- How many orders are there, and what is one worth? Optional: $store, $first, $last.
-- An order is of the day on which it was placed. `refunded` is what refunds took from these orders, on any day.
SELECT
    store_id,
    currency,
    count(*) AS orders,
    sum(gross) AS gross,
    sum(refunded) AS refunded,
    sum(net) AS net,
    round(sum(gross) / count(gross), 4) AS average_order,
    quantile_disc(gross, 0.5) AS median_order
FROM people_orders
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, currency
ORDER BY store_id, currency;

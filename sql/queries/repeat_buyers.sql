-- How many buyers buy again? Optional: $store, $first, $last.
-- A buyer is a device with an order: one person with two devices is two. Orders that only a server reports are of no
-- device, and are left out.
WITH buyers AS (
    SELECT store_id, device_key, count(*) AS device_orders
    FROM order_lines
    WHERE counts_order AND NOT is_bot AND NOT is_server
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY store_id, device_key
)

SELECT
    store_id,
    count(*) AS buyers,
    count(*) FILTER (WHERE device_orders > 1) AS repeat_buyers,
    round(100.0 * count(*) FILTER (WHERE device_orders > 1) / count(*), 2) AS repeat_buyers_percent,
    max(device_orders) AS most_orders_of_a_buyer
FROM buyers
GROUP BY store_id
ORDER BY store_id;

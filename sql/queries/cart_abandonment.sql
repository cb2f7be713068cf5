-- How many carts are left behind? Optional: $store, $first, $last.
-- Of the sessions that added to the cart, those without an order. It is not 1 - bought / added_to_cart: some sessions
-- order what another one has put into the cart. `abandoned_and_back`: the device orders within seven days after.
WITH visits AS (
    SELECT
        *,
        min(CASE WHEN has_converted THEN started_at END) OVER (
            PARTITION BY store_id, device_key ORDER BY started_at
            RANGE BETWEEN INTERVAL 1 MILLISECOND FOLLOWING AND INTERVAL 7 DAYS FOLLOWING
        ) IS NOT NULL AS is_back
    FROM sessions
    WHERE NOT is_bot AND NOT is_report AND ($store IS NULL OR store_id = $store)
        AND day >= CAST(coalesce($first, '-infinity') AS DATE)
)

SELECT
    store_id,
    count(*) FILTER (WHERE add_to_carts > 0) AS added_to_cart,
    count(*) FILTER (WHERE has_converted) AS bought,
    count(*) FILTER (WHERE has_converted AND add_to_carts = 0) AS bought_without_adding,
    count(*) FILTER (WHERE add_to_carts > 0 AND NOT has_converted) AS abandoned_carts,
    count(*) FILTER (WHERE add_to_carts > 0 AND NOT has_converted AND is_back) AS abandoned_and_back,
    round(
        100.0 * count(*) FILTER (WHERE add_to_carts > 0 AND NOT has_converted)
        / nullif(count(*) FILTER (WHERE add_to_carts > 0), 0), 2
    ) AS abandoned_percent
FROM visits
WHERE day <= CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id
ORDER BY store_id;

-- How long after their first visit do devices buy? Optional: $store, $first, $last (days of the first order).
-- From the start of the first session that is kept to the first order; orders that only a server reports are left out.
WITH placed AS (
    SELECT store_id, device_key, device_key_hash, occurred_at, day
    FROM order_lines
    WHERE counts_order AND NOT is_bot AND NOT is_server AND ($store IS NULL OR store_id = $store)
),

-- Of the devices with an order on these days: all others are as many as the store has ever had.
bought AS (
    SELECT store_id, device_key, device_key_hash, min(occurred_at) AS first_ordered_at
    FROM placed
    WHERE device_key_hash IN (
        SELECT device_key_hash
        FROM placed
        WHERE day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    )
    GROUP BY store_id, device_key, device_key_hash
    HAVING min(day) BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

visited AS (
    SELECT store_id, device_key, min(started_at) AS first_started_at
    FROM sessions
    WHERE device_key_hash IN (SELECT device_key_hash FROM bought)
    GROUP BY store_id, device_key
),

waited AS (
    SELECT store_id, epoch_ms(first_ordered_at) - epoch_ms(first_started_at) AS waited_ms
    FROM bought
    JOIN visited USING (store_id, device_key)
)

SELECT
    store_id,
    count(*) AS first_orders,
    round(100.0 * count(*) FILTER (WHERE waited_ms <= 3600000) / count(*), 2) AS within_an_hour_percent,
    round(100.0 * count(*) FILTER (WHERE waited_ms <= 86400000) / count(*), 2) AS within_a_day_percent,
    round(100.0 * count(*) FILTER (WHERE waited_ms <= 604800000) / count(*), 2) AS within_a_week_percent,
    round(quantile_disc(waited_ms, 0.5) / 60000, 1) AS median_minutes_to_purchase
FROM waited
GROUP BY store_id
ORDER BY store_id;

-- How long after their first visit do devices buy? Optional: $store, $first, $last (days of the first order).
-- From the start of the first session that is kept to the first order; orders that only a server reports are left out.
WITH bought AS (
    SELECT store_id, device_key, min(occurred_at) AS first_ordered_at, min(day) AS day
    FROM order_lines
    WHERE counts_order AND NOT is_bot AND NOT is_server AND ($store IS NULL OR store_id = $store)
    GROUP BY store_id, device_key
),

waited AS (
    SELECT b.store_id, b.device_key, epoch_ms(b.first_ordered_at) - epoch_ms(min(s.started_at)) AS waited_ms
    FROM bought AS b
    JOIN sessions AS s USING (store_id, device_key)
    WHERE b.day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY b.store_id, b.device_key, b.first_ordered_at
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

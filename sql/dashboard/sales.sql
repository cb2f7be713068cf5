-- Grain: one row per counted order line of the days shown and of those compared with, chosen by its session. `order_key`
-- is the same for all lines of an order.
CREATE OR REPLACE TEMP VIEW sales AS
SELECT
    l.store_id, l.day, l.device_key, l.session_id, l.occurred_at,
    hour(time_in(c.timezone, l.occurred_at)) AS hour,
    CASE
        WHEN c.today <> getvariable('last') THEN true
        ELSE CAST(time_in(c.timezone, l.occurred_at) AS TIME) <= c.time_of_day
    END AS in_time,
    l.store_id || ' ' || coalesce(l.order_id, CAST(l.event_key AS VARCHAR)) AS order_key,
    l.counts_order, l.product_id, l.quantity, l.currency, l.revenue, l.is_bot
FROM order_lines AS l
JOIN clocks AS c USING (store_id)
WHERE (
        l.day BETWEEN getvariable('first') AND getvariable('last')
        OR l.day BETWEEN getvariable('before_first') AND getvariable('before_last')
    )
    AND l.is_counted AND NOT l.is_refund
    AND (NOT getvariable('is_filtered') OR EXISTS (
        FROM sessions AS s
        -- Without a filter none is read.
        WHERE getvariable('is_filtered')
            AND l.store_id = s.store_id
            AND l.device_key = s.device_key
            AND l.session_id = s.session_id
            AND l.occurred_at BETWEEN s.started_at AND s.ended_at
            -- Days are the store's, times UTC: a zone is up to 14 hours ahead or 12 behind.
            AND s.ended_at >= CAST(getvariable('earliest') AS DATE) - INTERVAL 14 HOURS
            AND s.started_at < CAST(getvariable('last') AS DATE) + INTERVAL 36 HOURS
    ));

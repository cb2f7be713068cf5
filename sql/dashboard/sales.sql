-- Grain: one row per counted order line of the days shown and of those compared with, with what its session is chosen
-- by. `order_key` is the same for all lines of an order.
CREATE OR REPLACE TEMP TABLE sales AS
SELECT
    l.store_id, l.day,
    hour(time_in(c.timezone, l.occurred_at)) AS hour,
    c.today <> getvariable('last') OR CAST(time_in(c.timezone, l.occurred_at) AS TIME) <= c.time_of_day AS in_time,
    l.store_id || ' ' || coalesce(l.order_id, CAST(l.event_key AS VARCHAR)) AS order_key,
    l.counts_order, l.product_id, l.quantity, l.currency, l.revenue, l.is_bot,
    s.shopping_channel, s.device_type, s.country, s.marketing_source, s.marketing_medium, s.marketing_campaign
FROM order_lines AS l
JOIN clocks AS c USING (store_id)
LEFT JOIN sessions AS s
    ON l.store_id = s.store_id
    AND l.device_key = s.device_key
    AND l.session_id = s.session_id
    AND l.occurred_at BETWEEN s.started_at AND s.ended_at
    -- Days are the store's, times UTC: a zone is up to 14 hours ahead or 12 behind.
    AND s.ended_at >= getvariable('earliest') - INTERVAL 14 HOURS
    AND s.started_at < getvariable('last') + INTERVAL 36 HOURS
WHERE l.day BETWEEN getvariable('earliest') AND getvariable('last')
    AND l.is_counted AND NOT l.is_refund
    AND (s.session_key IS NOT NULL OR NOT getvariable('is_filtered'));

-- Grain: one row per line of a refund that took something, on the refund's own day; chosen by its order's session.
CREATE OR REPLACE TEMP VIEW returned AS
SELECT
    r.store_id, r.day,
    hour(time_in(c.timezone, r.occurred_at)) AS hour,
    CASE
        WHEN c.today <> getvariable('last') THEN true
        ELSE CAST(time_in(c.timezone, r.occurred_at) AS TIME) <= c.time_of_day
    END AS in_time,
    r.currency, r.taken, r.is_bot
FROM snapshot.main.refunds AS r
JOIN clocks AS c USING (store_id)
WHERE r.day BETWEEN getvariable('earliest') AND getvariable('last') AND r.taken > 0
    AND (getvariable('store') IS NULL OR r.store_id = getvariable('store'))
    AND (NOT getvariable('is_filtered') OR EXISTS (
        FROM order_lines AS l
        JOIN sessions AS s
            ON l.store_id = s.store_id
            AND l.device_key = s.device_key
            AND l.session_id = s.session_id
            AND l.occurred_at BETWEEN s.started_at AND s.ended_at
        -- Without a filter none is read.
        WHERE getvariable('is_filtered')
            AND l.store_id = r.store_id
            AND l.order_id = r.order_id
            AND l.counts_order
    ));

-- How fresh is the snapshot, by store? Optional: $store.
-- A store that sends nothing is as old as its last event: compare it with the other stores. All that happened before
-- `complete_until` has been counted, unless it arrives late.
WITH last_days AS (
    SELECT store_id, max(day) AS day
    FROM daily_traffic
    WHERE ($store IS NULL OR store_id = $store)
    GROUP BY store_id
),

newest AS (
    SELECT e.store_id, max(e.occurred_at) AS last_event_at, max(e.received_at) AS received_at
    FROM events AS e
    JOIN last_days USING (store_id, day)
    WHERE e.day >= (SELECT min(day) FROM last_days)
    GROUP BY e.store_id
),

-- The last to arrive may be late, of any day: a file of the archive has it only if something in it came as late.
arrived AS (
    SELECT store_id, max(received_at) AS last_arrival_at
    FROM (
        SELECT store_id, received_at
        FROM hot_events
        UNION ALL
        SELECT store_id, received_at
        FROM events
        WHERE day >= (
            SELECT coalesce(min(first_day), 'infinity')
            FROM archive_files
            WHERE last_received_at >= (SELECT min(received_at) FROM newest)
        )
    )
    GROUP BY store_id
)

SELECT
    store_id,
    last_event_at,
    last_arrival_at,
    complete_until,
    published_at,
    late_devices
FROM newest
JOIN arrived USING (store_id)
CROSS JOIN snapshot
ORDER BY store_id;

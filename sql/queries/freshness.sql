-- How fresh is the snapshot, by store? Optional: $store.
-- A store that sends nothing is as old as its last event: compare it with the other stores. All that happened before
-- `complete_until` has been counted, unless it arrives late.
WITH latest AS (
    SELECT store_id, max(occurred_at) AS last_event_at, max(received_at) AS last_arrival_at
    FROM events
    WHERE ($store IS NULL OR store_id = $store)
    GROUP BY store_id
)

SELECT
    store_id,
    last_event_at,
    last_arrival_at,
    complete_until,
    published_at,
    late_devices
FROM latest
CROSS JOIN snapshot
ORDER BY store_id;

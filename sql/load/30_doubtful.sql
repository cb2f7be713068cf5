-- Devices of this transaction that the stream may know otherwise than `events` does: those that ever
-- had a late event, and all of a partition with missing events. Read anew, never remembered.
INSERT INTO doubtful
WITH missing AS (
    SELECT partition, max(missing_until) AS missing_until
    FROM (
        SELECT partition, missing_until FROM ledger
        UNION ALL
        SELECT partition, missing_until FROM in_ledger
    )
    GROUP BY ALL
),

late AS (
    SELECT DISTINCT store_id, device_key, true AS is_late FROM events WHERE is_late
)

SELECT store_id, device_key, horizon, missing_until
FROM in_devices
LEFT JOIN missing USING (partition)
LEFT JOIN late USING (store_id, device_key)
WHERE missing_until IS NOT NULL OR is_late;

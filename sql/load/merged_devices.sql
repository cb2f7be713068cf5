-- The devices that the stream cannot know whole: a late event has just arrived, or a late or missing one
-- can still reach what this transaction brings. Their rows grow from the tables instead (decision 0028).
INSERT INTO merged_devices
SELECT store_id, device_key FROM in_events WHERE is_late
UNION
SELECT store_id, device_key
FROM in_devices
JOIN late_devices USING (store_id, device_key)
WHERE reaches >= horizon
UNION
-- A missing event may belong to any session or touch of its partition, until `missing_events_settled`.
SELECT store_id, device_key
FROM in_devices
SEMI JOIN (
    SELECT partition FROM ledger WHERE missing_until IS NOT NULL
    UNION
    -- A warehouse that begins inside the log lacks events that the stream may know.
    SELECT partition FROM in_ledger ANTI JOIN ledger USING (partition) WHERE missing_until IS NOT NULL
    UNION
    -- What the stream does not know to be erased.
    SELECT partition FROM in_ledger WHERE dropped_until IS NOT NULL
) AS missing USING (partition);

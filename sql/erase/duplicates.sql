-- Repeats of their events: a duplicate names no device, but an event that was counted.
TRUNCATE erased_duplicates;
INSERT INTO erased_duplicates BY NAME
SELECT duplicates.*, device_key
FROM duplicates
JOIN (SELECT DISTINCT store_id, device_key, event_key FROM gone_events) USING (store_id, event_key);
DELETE FROM duplicates
WHERE (store_id, event_key) IN (SELECT (store_id, event_key) FROM erased_duplicates);

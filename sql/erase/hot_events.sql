-- Their events that are in the database. Those in files are added to them.
TRUNCATE erased_events;
INSERT INTO erased_events FROM hot_events SEMI JOIN erased_devices USING (store_id, device_key);
DELETE FROM hot_events
WHERE (store_id, device_key) IN (SELECT (store_id, device_key) FROM erased_devices);

-- Session rows of the stream.
INSERT INTO new_sessions
SELECT * REPLACE (device_key_hash_of(store_id, device_key) AS device_key_hash)
FROM in_sessions ANTI JOIN merged_devices USING (store_id, device_key);
DELETE FROM in_gone
WHERE (store_id, device_key) IN (SELECT (store_id, device_key) FROM merged_devices);

-- The new events of merged devices, and the sessions that these are by themselves.
INSERT INTO merged_events
SELECT * EXCLUDE (place) FROM in_events SEMI JOIN merged_devices USING (store_id, device_key);
INSERT INTO added_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open FROM recompute_sessions('merged_events');

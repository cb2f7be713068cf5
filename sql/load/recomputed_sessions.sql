-- Session rows of recomputed devices: all of them, from `events`.
INSERT INTO new_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open
FROM recompute_sessions('recomputed_events');

INSERT INTO old_sessions FROM sessions SEMI JOIN recomputed_devices USING (store_id, device_key);

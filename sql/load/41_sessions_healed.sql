-- Session rows of healed devices: all of them, from `events`.
-- If any: FROM healed
INSERT INTO new_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open
FROM recompute_sessions('healed_events');

INSERT INTO old_sessions FROM sessions SEMI JOIN healed USING (store_id, device_key);

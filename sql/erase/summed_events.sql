-- The events of erased devices have gone already.
INSERT INTO summed_events BY NAME
FROM erased_events SEMI JOIN summed_sessions USING (store_id, device_key, session_id);

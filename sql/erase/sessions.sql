-- Their sessions give way to nothing.
INSERT INTO old_sessions FROM sessions SEMI JOIN erased_devices USING (store_id, device_key);

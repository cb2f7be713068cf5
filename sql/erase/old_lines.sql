-- Theirs have gone, whatever settled.
INSERT INTO old_lines
FROM competing_lines SEMI JOIN erased_devices USING (store_id, device_key);

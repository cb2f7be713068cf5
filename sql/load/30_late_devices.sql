-- Devices of this transaction that ever had a late event. Read anew, never remembered.
INSERT INTO late_devices
FROM in_devices SEMI JOIN (FROM events WHERE is_late) USING (store_id, device_key);

-- Conversions and paths of the stream, new and restated (A6).
INSERT INTO new_conversions
FROM in_conversions ANTI JOIN merged_devices USING (store_id, device_key);
INSERT INTO new_conversion_touches
SELECT * EXCLUDE (device_key)
FROM in_conversion_touches ANTI JOIN merged_devices USING (store_id, device_key);

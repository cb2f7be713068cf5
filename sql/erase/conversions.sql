-- Their touches, conversions and paths.
DELETE FROM touches
WHERE (store_id, device_key) IN (SELECT (store_id, device_key) FROM erased_devices);

INSERT INTO old_conversions
FROM conversion_facts SEMI JOIN erased_devices USING (store_id, device_key);
DELETE FROM conversion_facts
WHERE conversion_key IN (SELECT conversion_key FROM old_conversions);
DELETE FROM conversion_touches
WHERE conversion_key IN (SELECT conversion_key FROM old_conversions);

DELETE FROM late_devices
WHERE (store_id, device_key) IN (SELECT (store_id, device_key) FROM erased_devices);

-- Events that stay may be of a partition of before, where nothing reaches their device's rows any more.
DELETE FROM late_devices
USING ledger
WHERE late_devices.partition = ledger.partition
    AND (store_id, device_key) IN (SELECT (store_id, device_key) FROM erased_devices)
    AND reaches < stream_time - (SELECT lateness FROM rules);

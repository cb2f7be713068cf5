-- Where a customer is named, events of the device with another one, or without, stay (E3): first all go, for
-- sessions are not made smaller, then these come again.
TRUNCATE kept_events;
INSERT INTO kept_events
SELECT erased_events.*, row_number() OVER () AS place
FROM erased_events
JOIN erased_devices USING (store_id, device_key)
WHERE erased_devices.customer_id IS NOT NULL
    AND erased_events.customer_id IS DISTINCT FROM erased_devices.customer_id;

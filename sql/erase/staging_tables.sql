-- The temporary tables of erasures: the devices, and what the warehouse holds of them.
CREATE TEMP TABLE erased_devices (
    store_id VARCHAR, device_key VARCHAR, device_hash VARCHAR, key_hash VARCHAR, erased_at TIMESTAMP,
    partition INTEGER, "offset" BIGINT, customer_id VARCHAR
);
CREATE TEMP TABLE erased_events AS FROM hot_events WITH NO DATA;
-- Of devices that lose the events of a customer alone: those that stay.
CREATE TEMP TABLE kept_events AS FROM in_events WITH NO DATA;
CREATE TEMP VIEW gone_events AS
FROM erased_events ANTI JOIN kept_events USING (event_key, occurred_at);
CREATE TEMP TABLE erased_duplicates AS SELECT *, '' AS device_key FROM duplicates WITH NO DATA;
CREATE TEMP TABLE erased_rejected (store_id VARCHAR, device_key VARCHAR, id BIGINT);

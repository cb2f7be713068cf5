-- The temporary tables of erasures: the devices, and what the warehouse holds of them.
CREATE TEMP TABLE erased_devices (
    store_id VARCHAR, device_key VARCHAR, device_hash VARCHAR, key_hash VARCHAR, erased_at TIMESTAMP,
    partition INTEGER, "offset" BIGINT
);
CREATE TEMP TABLE erased_events AS FROM hot_events WITH NO DATA;
CREATE TEMP TABLE erased_duplicates AS SELECT *, '' AS device_key FROM duplicates WITH NO DATA;
CREATE TEMP TABLE erased_rejected (store_id VARCHAR, device_key VARCHAR, id BIGINT);

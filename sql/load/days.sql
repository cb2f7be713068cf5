-- Each store's zone, kept from its first record on; and the store's days, for everything else takes them
-- from these rows (T10).
INSERT INTO stores
SELECT store_id, timezone, zone_digest(timezone) FROM in_stores ANTI JOIN stores USING (store_id);

UPDATE in_events SET
    day = CAST(time_in(timezone, occurred_at) AS DATE),
    hour = hour(time_in(timezone, occurred_at)),
    received_day = CAST(time_in(timezone, received_at) AS DATE)
FROM stores
WHERE in_events.store_id = stores.store_id;

UPDATE in_sessions SET day = CAST(time_in(timezone, started_at) AS DATE)
FROM stores
WHERE in_sessions.store_id = stores.store_id;

UPDATE in_conversions SET day = CAST(time_in(timezone, occurred_at) AS DATE)
FROM stores
WHERE in_conversions.store_id = stores.store_id;

UPDATE in_duplicates SET received_day = CAST(time_in(timezone, received_at) AS DATE)
FROM stores
WHERE in_duplicates.store_id = stores.store_id;

-- An event that failed may name no store.
UPDATE in_rejected SET received_day = CAST(time_in(
    coalesce((SELECT timezone FROM stores WHERE stores.store_id = in_rejected.store_id), 'UTC'), received_at
) AS DATE);

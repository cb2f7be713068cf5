-- The ledger counts as erased what it counted as events and duplicates; `erasures` remembers whose it was.
UPDATE ledger SET
    events = ledger.events - gone.events,
    duplicates = ledger.duplicates - gone.duplicates,
    erased = ledger.erased + gone.events + gone.duplicates
FROM (
    SELECT
        partition,
        count(*) FILTER (WHERE NOT is_duplicate) AS events,
        count(*) FILTER (WHERE is_duplicate) AS duplicates
    FROM (
        SELECT partition, false AS is_duplicate FROM gone_events
        UNION ALL
        SELECT partition, true FROM erased_duplicates
    )
    GROUP BY partition
) AS gone
WHERE ledger.partition = gone.partition;

INSERT INTO erasures BY NAME
SELECT
    device_hash, key_hash, erased_at, partition, "offset",
    (SELECT count(*) FROM gone_events AS e WHERE (e.store_id, e.device_key) = (d.store_id, d.device_key))
        AS events,
    (SELECT count(*) FROM erased_duplicates AS e WHERE (e.store_id, e.device_key) = (d.store_id, d.device_key))
        AS duplicates,
    (SELECT count(*) FROM erased_rejected AS e WHERE (e.store_id, e.device_key) = (d.store_id, d.device_key))
        AS rejected
FROM erased_devices AS d;

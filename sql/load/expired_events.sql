-- Late events whose time has gone (T11): counted, and in no other table.
MERGE INTO daily_expired AS held
USING (
    SELECT store_id, received_day AS day, count(*) AS expired_events
    FROM in_events
    WHERE is_late AND NOT is_kept(occurred_at)
    GROUP BY ALL
) AS new
    ON held.store_id = new.store_id AND held.day = new.day
WHEN MATCHED THEN UPDATE SET expired_events = held.expired_events + new.expired_events
WHEN NOT MATCHED THEN INSERT;

UPDATE in_ledger SET
    events = in_ledger.events - gone.count,
    expired = in_ledger.expired + gone.count
FROM (
    SELECT partition, count(*) AS count
    FROM in_events
    WHERE is_late AND NOT is_kept(occurred_at)
    GROUP BY ALL
) AS gone
WHERE in_ledger.partition = gone.partition;

DELETE FROM in_events WHERE is_late AND NOT is_kept(occurred_at);

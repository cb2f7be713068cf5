-- The ledger's counts are the rows of the tables and those that have gone, partition by partition.
WITH counted AS (
    SELECT partition, count(*) AS events FROM events GROUP BY ALL
),

dropped AS (
    SELECT partition, count(*) AS duplicates FROM duplicates GROUP BY ALL
)

SELECT
    ledger.partition,
    ledger.events AS ledger_events,
    coalesce(counted.events, 0) AS events,
    ledger.duplicates AS ledger_duplicates,
    coalesce(dropped.duplicates, 0) AS duplicates
FROM ledger
LEFT JOIN counted USING (partition)
LEFT JOIN dropped USING (partition)
LEFT JOIN dropped_rows AS gone USING (partition)
WHERE ledger.events <> coalesce(counted.events, 0) + coalesce(gone.events, 0)
    OR ledger.duplicates <> coalesce(dropped.duplicates, 0) + coalesce(gone.duplicates, 0)
    OR ledger.next_origin - ledger.first_origin <> ledger.records;

-- Grain: one row: how far the snapshot reaches, and what it has counted over all stores.
SELECT
    count(*) AS partitions,
    CAST(coalesce(sum(records), 0) AS BIGINT) AS records,
    CAST(coalesce(sum(events), 0) AS BIGINT) AS events,
    CAST(coalesce(sum(duplicates), 0) AS BIGINT) AS duplicates,
    CAST(coalesce(sum(failed), 0) AS BIGINT) AS failed,
    CAST(coalesce(sum(expired), 0) AS BIGINT) AS expired,
    max(stream_time) AS stream_time,
    min(stream_time) AS complete_until
FROM snapshot.main.ledger;

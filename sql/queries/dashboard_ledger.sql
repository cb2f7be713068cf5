-- How far the snapshot reaches and what it has counted, over all stores. Grain: one row.
SELECT
    count(*) AS partitions,
    CAST(coalesce(sum(records), 0) AS BIGINT) AS records,
    CAST(coalesce(sum(events), 0) AS BIGINT) AS events,
    CAST(coalesce(sum(duplicates), 0) AS BIGINT) AS duplicates,
    CAST(coalesce(sum(failed), 0) AS BIGINT) AS failed,
    CAST(coalesce(sum(expired), 0) AS BIGINT) AS expired,
    max(stream_time) AS stream_time
FROM ledger;

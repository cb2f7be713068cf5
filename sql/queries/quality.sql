-- What was dropped, rejected or late, per store? Optional: $store.
SELECT
    store_id,
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected) AS BIGINT) AS rejected,
    CAST(sum(expired) AS BIGINT) AS expired,
    CAST(sum(late) AS BIGINT) AS late,
    CAST(sum(clock_skewed) AS BIGINT) AS clock_skewed,
    CAST(sum(bot_events) AS BIGINT) AS bot_events
FROM quality
WHERE $store IS NULL OR store_id = $store
GROUP BY store_id
ORDER BY store_id;

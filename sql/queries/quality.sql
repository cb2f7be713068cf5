-- What was dropped, rejected or late, per store? Optional: $store, $first, $last.
SELECT
    store_id,
    CAST(sum(received_events) AS BIGINT) AS received_events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected_events) AS BIGINT) AS rejected_events,
    CAST(sum(expired_events) AS BIGINT) AS expired_events,
    CAST(sum(late_events) AS BIGINT) AS late_events,
    CAST(sum(clock_skewed_events) AS BIGINT) AS clock_skewed_events,
    CAST(sum(received_bot_events) AS BIGINT) AS received_bot_events
FROM quality
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id
ORDER BY store_id;

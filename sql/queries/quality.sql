-- What was dropped, refused or late, per store? Optional: $store.
SELECT
    store_id,
    sum(events) AS events,
    sum(duplicates) AS duplicates,
    sum(conflicts) AS conflicts,
    sum(rejected) AS rejected,
    sum(late) AS late,
    sum(clock_skewed) AS clock_skewed,
    sum(bot_events) AS bot_events
FROM quality
WHERE $store IS NULL OR store_id = $store
GROUP BY store_id
ORDER BY store_id;

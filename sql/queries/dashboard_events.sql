-- Events of $store from $first to $last, without bots. Grain: one row per day and event type.
SELECT day, event_type, CAST(sum(events) AS BIGINT) AS events
FROM daily_traffic
WHERE
    store_id = $store AND NOT is_bot AND NOT is_prefetch
    AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
GROUP BY day, event_type
ORDER BY day, event_type;

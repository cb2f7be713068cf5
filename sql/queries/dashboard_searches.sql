-- What was searched for most in $store from $first to $last, without bots. Grain: one row per query.
SELECT
    query,
    count(*) AS searches,
    count(DISTINCT device_key) AS devices
FROM events
WHERE
    store_id = $store AND NOT is_bot AND event_type = 'search' AND query <> ''
    AND occurred_at >= CAST($first AS DATE)
    AND occurred_at < CAST($last AS DATE) + INTERVAL 1 DAY
GROUP BY query
ORDER BY searches DESC, query
LIMIT 10;

-- The most frequent searches in $store from $first to $last, without bots. Grain: one row per query.
SELECT
    search_term AS query,
    count(*) AS searches,
    count(DISTINCT device_key) AS devices
FROM events
WHERE
    store_id = $store AND NOT is_bot AND NOT is_prefetch
    AND event_type = 'search' AND search_term IS NOT NULL
    AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
GROUP BY search_term
ORDER BY searches DESC, query
LIMIT 10;

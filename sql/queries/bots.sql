-- Which share of the events is from bots? Optional: $store, $first, $last.
SELECT
    store_id,
    day,
    events,
    bot_events,
    prefetched_events,
    round(100.0 * bot_events / (events + bot_events + prefetched_events), 2) AS bot_events_percent
FROM traffic
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
ORDER BY store_id, day;

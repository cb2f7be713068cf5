-- How long do sessions last? Optional: $store, $first, $last.
-- From the first event to the last, 0 for a single one. Half of the sessions last no longer than the median.
SELECT
    store_id,
    count(*) AS sessions,
    round(100.0 * count(*) FILTER (WHERE events = 1) / count(*), 2) AS bounce_percent,
    round(quantile_disc(epoch_ms(ended_at) - epoch_ms(started_at), 0.5) / 1000, 1) AS median_seconds,
    round(quantile_disc(epoch_ms(ended_at) - epoch_ms(started_at), 0.9) / 1000, 1) AS ninety_percent_seconds,
    quantile_disc(events, 0.5) AS median_events
FROM sessions
WHERE NOT is_bot AND NOT is_report
    AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id
ORDER BY store_id;

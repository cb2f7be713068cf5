-- Which share of the events arrives late, and how late? Optional: $store, $first, $last (days of arrival).
-- Late is what is older than the lateness when it arrives: the warehouse corrects its sessions and conversions.
SELECT
    store_id,
    received_day AS day,
    count(*) AS received_events,
    count(*) FILTER (WHERE is_late) AS late_events,
    round(100.0 * count(*) FILTER (WHERE is_late) / count(*), 2) AS late_percent,
    round(
        quantile_disc(epoch_ms(received_at) - epoch_ms(occurred_at), 0.5) / 1000, 1
    ) AS median_seconds_to_arrival,
    round(
        max(epoch_ms(received_at) - epoch_ms(occurred_at)) / 3600000, 1
    ) AS most_hours_to_arrival
FROM events
WHERE ($store IS NULL OR store_id = $store)
    AND received_day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, received_day
ORDER BY store_id, received_day;

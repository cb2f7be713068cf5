-- Which share of the events arrives late, and how late? Optional: $store, $first, $last (days of arrival).
-- Late is what is older than the lateness when it arrives: the warehouse corrects its sessions and conversions.
SELECT
    store_id,
    day,
    received_events,
    late_events,
    round(100.0 * late_events / received_events, 2) AS late_percent,
    round(100.0 * received_in_a_minute / received_events, 2) AS in_a_minute_percent,
    round(100.0 * received_in_an_hour / received_events, 2) AS in_an_hour_percent,
    round(100.0 * received_in_a_day / received_events, 2) AS in_a_day_percent
FROM quality
WHERE received_events > 0 AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
ORDER BY store_id, day;

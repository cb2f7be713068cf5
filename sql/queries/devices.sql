-- With which devices, and from which countries, do people visit and buy? Optional: $store, $first, $last.
SELECT
    store_id,
    device_type,
    country,
    count(*) AS sessions,
    count(*) FILTER (WHERE has_converted) AS converted,
    round(100.0 * count(*) FILTER (WHERE has_converted) / count(*), 2) AS converted_percent
FROM sessions
WHERE NOT is_bot AND NOT is_report
    AND ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, device_type, country
ORDER BY store_id, sessions DESC, device_type, country;

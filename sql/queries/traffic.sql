-- How many events of each type happened each day? Optional: $store, $first, $last.
FROM traffic
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
ORDER BY store_id, day;

-- Which fields does a store send wrong? Optional: $store, $first, $last (days of arrival).
SELECT store_id, field, outcome, reason, CAST(sum(field_events) AS BIGINT) AS field_events
FROM quality_fields
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY ALL
ORDER BY store_id, field_events DESC, field, outcome, reason;

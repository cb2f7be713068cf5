-- Grain: one row per field, outcome and reason: events in which a field was repaired, ignored or refused.
SELECT field, outcome, reason, CAST(sum(field_events) AS BIGINT) AS field_events
FROM snapshot.main.quality_fields
WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
    AND day BETWEEN getvariable('first') AND getvariable('last')
GROUP BY ALL
ORDER BY field_events DESC, field, outcome, reason
LIMIT 5000;

-- Grain: one row per store, day of arrival, field, outcome and reason: events in which the field was
-- `repaired` (another spelling was read), `ignored` (it could not be read, and the event was kept without
-- it) or `refused` (the event was refused for it).
SELECT store_id, day, field, outcome, reason, CAST(sum(events) AS BIGINT) AS field_events
FROM (
    SELECT store_id, received_day AS day, field, outcome, reason, field_arrivals AS events
    FROM daily_arrivals
    WHERE field IS NOT NULL
    UNION ALL
    SELECT
        store_id, received_day,
        -- "items.3.price" is the price of an item.
        regexp_replace(split_part(detail, ': ', 1), '\.[0-9]+', '', 'g'),
        'refused', reason, 1
    FROM rejected_events
)
GROUP BY store_id, day, field, outcome, reason;

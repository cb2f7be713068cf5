-- Grain: one row per store, day of arrival, field, outcome and reason: events in which the field was
-- `repaired` (another spelling was read), `ignored` (it could not be read, and the event was kept without
-- it) or `refused` (the event was refused for it).
SELECT store_id, day, field, outcome, reason, count(*) AS field_events
FROM (
    SELECT DISTINCT
        store_id, received_day AS day, event_key, occurred_at,
        split_part(repair, ': ', 1) AS field,
        CASE WHEN split_part(repair, ': ', 2) IN ('respelled', 'rounded') THEN 'repaired' ELSE 'ignored' END
            AS outcome,
        split_part(repair, ': ', 2) AS reason
    FROM (SELECT *, unnest(repairs) AS repair FROM events WHERE repairs IS NOT NULL)
    UNION ALL
    SELECT
        store_id, received_day, NULL, NULL,
        -- "items.3.price" is the price of an item.
        regexp_replace(split_part(detail, ': ', 1), '\.[0-9]+', '', 'g'),
        'refused', reason
    FROM rejected_events
)
GROUP BY store_id, day, field, outcome, reason;

-- Grain: one row per store and UTC day of arrival. What was kept, dropped, refused, late, skewed.
WITH parts AS (
    SELECT
        store_id, CAST(received_at AS DATE) AS day, 1 AS events, 0 AS duplicates, 0 AS conflicts,
        0 AS rejected, CAST(is_late AS INTEGER) AS late,
        CAST(is_clock_skewed AS INTEGER) AS clock_skewed, CAST(is_bot AS INTEGER) AS bots
    FROM events
    UNION ALL
    SELECT
        store_id, CAST(received_at AS DATE), 0, 1, CAST(kind = 'conflict' AS INTEGER), 0, 0, 0, 0
    FROM duplicates
    UNION ALL
    SELECT store_id, CAST(received_at AS DATE), 0, 0, 0, 1, 0, 0, 0
    FROM rejected_events
)

SELECT
    store_id, day,
    sum(events) AS events,
    sum(duplicates) AS duplicates,
    sum(conflicts) AS conflicts,
    sum(rejected) AS rejected,
    sum(late) AS late,
    sum(clock_skewed) AS clock_skewed,
    sum(bots) AS bot_events
FROM parts
GROUP BY store_id, day;

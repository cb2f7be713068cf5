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
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected) AS BIGINT) AS rejected,
    CAST(sum(late) AS BIGINT) AS late,
    CAST(sum(clock_skewed) AS BIGINT) AS clock_skewed,
    CAST(sum(bots) AS BIGINT) AS bot_events
FROM parts
GROUP BY store_id, day;

-- Grain: one row per store and day of arrival. Events kept, dropped, rejected, expired, late and skewed;
-- `quality_fields` has it by field. Duplicates and rejected events count for as long as they are kept.
WITH parts AS (
    SELECT
        store_id, received_day AS day, 1 AS events, 0 AS duplicates, 0 AS conflicts,
        0 AS rejected, 0 AS expired, CAST(is_late AS INTEGER) AS late,
        CAST(is_clock_skewed AS INTEGER) AS clock_skewed, CAST(is_bot AS INTEGER) AS bots,
        CAST(is_server AS INTEGER) AS servers, CAST(is_prefetch AS INTEGER) AS prefetched,
        CAST(repairs IS NOT NULL AS INTEGER) AS repaired
    FROM events
    UNION ALL
    SELECT
        store_id, received_day, 0, 1, CAST(kind = 'conflict' AS INTEGER), 0, 0, 0, 0, 0, 0, 0, 0
    FROM duplicates
    UNION ALL
    SELECT store_id, received_day, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0
    FROM rejected_events
    UNION ALL
    SELECT store_id, day, 0, 0, 0, 0, events, 0, 0, 0, 0, 0, 0
    FROM daily_expired
)

SELECT
    store_id, day,
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected) AS BIGINT) AS rejected,
    CAST(sum(expired) AS BIGINT) AS expired,
    CAST(sum(late) AS BIGINT) AS late,
    CAST(sum(clock_skewed) AS BIGINT) AS clock_skewed,
    CAST(sum(bots) AS BIGINT) AS bot_events,
    CAST(sum(servers) AS BIGINT) AS server_events,
    CAST(sum(prefetched) AS BIGINT) AS prefetched_events,
    CAST(sum(repaired) AS BIGINT) AS repaired_events
FROM parts
GROUP BY store_id, day;

-- Grain: one row per store and day of arrival. Events kept, dropped, rejected, expired, late and skewed;
-- `quality_fields` has it by field. Duplicates and rejected events count for as long as they are kept.
WITH parts AS (
    SELECT
        store_id, received_day AS day, 1 AS received_events, 0 AS duplicates, 0 AS conflicts,
        0 AS rejected_events, 0 AS expired_events, CAST(is_late AS INTEGER) AS late_events,
        CAST(is_clock_skewed AS INTEGER) AS clock_skewed_events, CAST(is_bot AS INTEGER) AS bots,
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
    SELECT store_id, day, 0, 0, 0, 0, expired_events, 0, 0, 0, 0, 0, 0
    FROM daily_expired
)

SELECT
    store_id, day,
    CAST(sum(received_events) AS BIGINT) AS received_events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected_events) AS BIGINT) AS rejected_events,
    CAST(sum(expired_events) AS BIGINT) AS expired_events,
    CAST(sum(late_events) AS BIGINT) AS late_events,
    CAST(sum(clock_skewed_events) AS BIGINT) AS clock_skewed_events,
    CAST(sum(bots) AS BIGINT) AS received_bot_events,
    CAST(sum(servers) AS BIGINT) AS received_server_events,
    CAST(sum(prefetched) AS BIGINT) AS received_prefetched_events,
    CAST(sum(repaired) AS BIGINT) AS repaired_events
FROM parts
GROUP BY store_id, day;

-- Grain: one row per measure and detail: events by day of arrival, for the time of a wrong one cannot be trusted.
WITH facts AS (
    SELECT
        count(*) AS received_events,
        count(*) FILTER (WHERE is_bot) AS received_bot_events,
        count(*) FILTER (WHERE is_server) AS received_server_events,
        count(*) FILTER (WHERE is_prefetch) AS received_prefetched_events,
        count(*) FILTER (WHERE repairs IS NOT NULL) AS repaired_events,
        count(*) FILTER (WHERE is_late) AS late_events,
        count(*) FILTER (WHERE is_clock_skewed) AS clock_skewed_events
    FROM events
    WHERE received_day BETWEEN getvariable('first') AND getvariable('last')
),

repeats AS (
    SELECT kind, count(*) AS found
    FROM snapshot.main.duplicates
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND received_day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY kind
),

rejects AS (
    SELECT reason, count(*) AS found
    FROM snapshot.main.rejected_events
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND received_day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY reason
),

too_old AS (
    SELECT CAST(sum(expired_events) AS BIGINT) AS found
    FROM snapshot.main.daily_expired
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
    HAVING count(*) > 0
),

measures AS (
    SELECT 1 AS place, 'Accepted' AS measure, NULL AS detail, received_events AS found FROM facts
    UNION ALL
    SELECT 2, 'From bots', 'kept, counted beside people', received_bot_events FROM facts
    UNION ALL
    SELECT 3, 'From servers and apps', 'kept and counted', received_server_events FROM facts
    UNION ALL
    SELECT 4, 'Prefetched', 'kept, in no other figure', received_prefetched_events FROM facts
    UNION ALL
    SELECT 5, 'Repaired', 'kept, a field read otherwise or left out', repaired_events FROM facts
    UNION ALL
    SELECT 6, 'Late', 'kept and counted', late_events FROM facts
    UNION ALL
    SELECT 7, 'Clock ahead', 'kept, moved back to the time of arrival', clock_skewed_events FROM facts
    UNION ALL
    SELECT 8, 'Duplicate', kind, found FROM repeats
    UNION ALL
    SELECT 9, 'Refused', reason, found FROM rejects
    UNION ALL
    SELECT 10, 'Expired', 'counted only, its time has gone', found FROM too_old
)

SELECT measure, detail, found
FROM measures
ORDER BY place, found DESC, detail;

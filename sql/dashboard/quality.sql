-- Grain: one row per measure and detail: events by day of arrival, for the time of a wrong one cannot be trusted.
WITH facts AS (
    SELECT CAST(coalesce(sum(COLUMNS(* EXCLUDE (store_id, day))), 0) AS BIGINT)
    FROM snapshot.main.quality
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
),

rejects AS (
    SELECT reason, count(*) AS found
    FROM snapshot.main.rejected_events
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND received_day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY reason
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
    SELECT 8, 'Duplicate', 'exact', duplicates - conflicts FROM facts
    UNION ALL
    SELECT 8, 'Duplicate', 'conflict', conflicts FROM facts
    UNION ALL
    SELECT 9, 'Refused', reason, found FROM rejects
    UNION ALL
    SELECT 10, 'Expired', 'counted only, its time has gone', expired_events FROM facts
)

SELECT measure, detail, found
FROM measures
WHERE place < 8 OR found > 0
ORDER BY place, found DESC, detail;

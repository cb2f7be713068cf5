-- Events that arrived for $store from $first to $last, and anomalies. Grain: one row per measure and detail.
-- By day of arrival, because the event time of an anomaly cannot be trusted.
WITH facts AS (
    SELECT
        count(*) AS accepted,
        count(*) FILTER (WHERE is_bot) AS bots,
        count(*) FILTER (WHERE is_server) AS servers,
        count(*) FILTER (WHERE is_prefetch) AS prefetched,
        count(*) FILTER (WHERE repairs IS NOT NULL) AS repaired,
        count(*) FILTER (WHERE is_late) AS late,
        count(*) FILTER (WHERE is_clock_skewed) AS skewed
    FROM events
    WHERE store_id = $store
        AND received_day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
),

repeats AS (
    SELECT kind, count(*) AS found
    FROM duplicates
    WHERE store_id = $store
        AND received_day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    GROUP BY kind
),

rejects AS (
    SELECT reason, count(*) AS found
    FROM rejected_events
    WHERE store_id = $store
        AND received_day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    GROUP BY reason
),

too_old AS (
    SELECT CAST(sum(expired_events) AS BIGINT) AS found
    FROM daily_expired
    WHERE store_id = $store
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    HAVING count(*) > 0
),

measures AS (
    SELECT 1 AS place, 'Accepted' AS measure, NULL AS detail, accepted AS events FROM facts
    UNION ALL
    SELECT 2, 'From bots', 'stored, left out of this page', bots FROM facts
    UNION ALL
    SELECT 3, 'From servers and apps', 'stored and counted', servers FROM facts
    UNION ALL
    SELECT 4, 'Prefetched', 'stored, left out of this page', prefetched FROM facts
    UNION ALL
    SELECT 5, 'Repaired', 'stored, a field read otherwise or left out', repaired FROM facts
    UNION ALL
    SELECT 6, 'Late', 'stored, recomputed in the warehouse', late FROM facts
    UNION ALL
    SELECT 7, 'Clock ahead', 'stored, moved back to the time of arrival', skewed FROM facts
    UNION ALL
    SELECT 8, 'Duplicate', kind, found FROM repeats
    UNION ALL
    SELECT 9, 'Rejected', reason, found FROM rejects
    UNION ALL
    SELECT 10, 'Expired', 'counted only, its time has gone', found FROM too_old
)

SELECT measure, detail, events
FROM measures
ORDER BY place, events DESC, detail;

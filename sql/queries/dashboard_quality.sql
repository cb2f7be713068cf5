-- What arrived for $store from $first to $last, and how odd. Grain: one row per measure and detail.
-- By the day of its arrival: the time in what is odd is not to be trusted.
WITH span AS (
    SELECT
        CAST(CAST($first AS DATE) AS TIMESTAMP) AS opens,
        CAST($last AS DATE) + INTERVAL 1 DAY AS closes
),

facts AS (
    SELECT
        count(*) AS accepted,
        count(*) FILTER (WHERE is_bot) AS bots,
        count(*) FILTER (WHERE is_late) AS late,
        count(*) FILTER (WHERE is_clock_skewed) AS skewed
    FROM events, span
    WHERE store_id = $store AND received_at >= opens AND received_at < closes
),

repeats AS (
    SELECT kind, count(*) AS found
    FROM duplicates, span
    WHERE store_id = $store AND received_at >= opens AND received_at < closes
    GROUP BY kind
),

rejects AS (
    SELECT reason, count(*) AS found
    FROM rejected_events, span
    WHERE store_id = $store AND received_at >= opens AND received_at < closes
    GROUP BY reason
),

measures AS (
    SELECT 1 AS place, 'Accepted' AS measure, NULL AS detail, accepted AS events FROM facts
    UNION ALL
    SELECT 2, 'From bots', 'stored, left out of this page', bots FROM facts
    UNION ALL
    SELECT 3, 'Late', 'stored, recomputed in the warehouse', late FROM facts
    UNION ALL
    SELECT 4, 'Clock ahead', 'stored, at the time of arrival', skewed FROM facts
    UNION ALL
    SELECT 5, 'Duplicate', kind, found FROM repeats
    UNION ALL
    SELECT 6, 'Rejected', reason, found FROM rejects
)

SELECT measure, detail, events
FROM measures
ORDER BY place, events DESC, detail;

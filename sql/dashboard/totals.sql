-- Grain: one row per period (`now`, `before`), of people and of bots. An unfinished last day is compared with the same
-- hours.
WITH periods AS (
    SELECT 'now' AS period, getvariable('first') AS first, getvariable('last') AS last, false AS cut
    UNION ALL
    SELECT 'before', getvariable('before_first'), getvariable('before_last'), true
),

visited AS (
    SELECT
        period, is_bot,
        count(*) AS sessions,
        count(*) FILTER (WHERE has_converted) AS bought,
        CAST(sum(searches) AS BIGINT) AS searches,
        CAST(sum(events) AS BIGINT) AS session_events
    FROM visits
    JOIN periods ON day BETWEEN first AND last AND (day < last OR in_time OR NOT cut)
    WHERE NOT is_report
    GROUP BY ALL
),

sold AS (
    SELECT period, is_bot, count(*) FILTER (WHERE counts_order) AS orders
    FROM sales
    JOIN periods ON day BETWEEN first AND last AND (day < last OR in_time OR NOT cut)
    GROUP BY ALL
)

SELECT
    period, is_bot,
    coalesce(sessions, 0) AS sessions, coalesce(bought, 0) AS bought, coalesce(searches, 0) AS searches,
    coalesce(session_events, 0) AS session_events, coalesce(orders, 0) AS orders
FROM (SELECT period, unnest([false, true]) AS is_bot FROM periods)
LEFT JOIN visited USING (period, is_bot)
LEFT JOIN sold USING (period, is_bot)
ORDER BY period DESC, is_bot;

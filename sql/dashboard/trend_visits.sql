-- Grain: one row per day, and hour where hours are asked for, of people.
SELECT
    day,
    CASE WHEN getvariable('grain_of_time') = 'hour' THEN hour END AS hour,
    in_time,
    count(*) AS sessions,
    count(*) FILTER (WHERE has_converted) AS bought,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(events) AS BIGINT) AS session_events
FROM visits
WHERE NOT is_bot AND NOT is_report
GROUP BY ALL
ORDER BY day, hour, in_time;

-- Grain: one row per day, and hour where hours are asked for, of people.
SELECT
    day,
    CASE WHEN getvariable('grain_of_time') = 'hour' THEN hour END AS hour,
    in_time,
    CAST(sum(CASE WHEN is_report THEN 0 ELSE sessions END) AS BIGINT) AS sessions,
    CAST(sum(CASE WHEN is_report THEN 0 ELSE bought END) AS BIGINT) AS bought,
    CAST(sum(CASE WHEN is_report THEN 0 ELSE searches END) AS BIGINT) AS searches,
    CAST(sum(CASE WHEN is_report THEN 0 ELSE session_events END) AS BIGINT) AS session_events
FROM visits
WHERE NOT is_bot
GROUP BY ALL
ORDER BY day, hour, in_time;

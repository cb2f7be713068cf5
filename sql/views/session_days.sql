-- Grain: one row per store, day, channel and marketing source and medium. Without bots and
-- without sessions that consist only of a server's reports (P2).
SELECT
    store_id,
    day,
    shopping_channel,
    marketing_source,
    marketing_medium,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(session_events) AS BIGINT) AS session_events,
    CAST(sum(single_event_sessions) AS BIGINT) AS single_event_sessions,
    CAST(sum(converted) AS BIGINT) AS converted,
    sum(session_events) / sum(sessions) AS events_per_session,
    to_milliseconds(CAST(sum(duration_ms) / sum(sessions) AS BIGINT)) AS mean_duration,
    sum(single_event_sessions) / sum(sessions) AS bounce_rate,
    sum(converted) / sum(sessions) AS conversion_rate
FROM daily_sessions
WHERE NOT is_bot AND NOT is_report
GROUP BY store_id, day, shopping_channel, marketing_source, marketing_medium;

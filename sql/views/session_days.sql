-- Grain: one row per store, day, channel and marketing source and medium. Without bots and
-- without sessions that consist only of a server's reports (P2).
SELECT
    store_id,
    day,
    shopping_channel,
    marketing_source,
    marketing_medium,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    sum(events) / sum(sessions) AS events_per_session,
    to_milliseconds(CAST(sum(duration_ms) / sum(sessions) AS BIGINT)) AS mean_duration,
    sum(single_event) / sum(sessions) AS bounce_rate,
    sum(converted) / sum(sessions) AS conversion_rate
FROM daily_sessions
WHERE NOT is_bot AND NOT is_report
GROUP BY store_id, day, shopping_channel, marketing_source, marketing_medium;

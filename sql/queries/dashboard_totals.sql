-- Traffic, sessions and orders of $store from $first to $last, without bots. Grain: one row.
WITH traffic AS (
    SELECT
        sum(events) FILTER (WHERE NOT is_bot) AS events,
        sum(events) FILTER (WHERE is_bot) AS bot_events
    FROM daily_traffic
    WHERE store_id = $store AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
),

visits AS (
    SELECT sum(sessions) AS sessions, sum(converted) AS converted, sum(orders) AS orders
    FROM daily_sessions
    WHERE
        store_id = $store AND NOT is_bot
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
)

SELECT
    CAST(coalesce(traffic.events, 0) AS BIGINT) AS events,
    CAST(coalesce(traffic.bot_events, 0) AS BIGINT) AS bot_events,
    CAST(coalesce(visits.sessions, 0) AS BIGINT) AS sessions,
    CAST(coalesce(visits.orders, 0) AS BIGINT) AS orders,
    -- No sessions: there is no rate.
    visits.converted / nullif(visits.sessions, 0) AS conversion_rate
FROM traffic, visits;

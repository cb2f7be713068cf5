-- Traffic, sessions and orders of $store from $first to $last, without bots. Grain: one row.
WITH seen AS (
    SELECT sum(events) AS events, sum(bot_events) AS bot_events
    FROM traffic
    WHERE store_id = $store AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
),

visits AS (
    SELECT sum(sessions) AS sessions, sum(bought) AS bought, sum(session_orders) AS orders
    FROM funnel
    WHERE store_id = $store AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
)

SELECT
    CAST(coalesce(seen.events, 0) AS BIGINT) AS events,
    CAST(coalesce(seen.bot_events, 0) AS BIGINT) AS bot_events,
    CAST(coalesce(visits.sessions, 0) AS BIGINT) AS sessions,
    CAST(coalesce(visits.orders, 0) AS BIGINT) AS orders,
    -- No sessions: there is no rate.
    visits.bought / nullif(visits.sessions, 0) AS conversion_rate
FROM seen, visits;

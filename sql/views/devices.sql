-- Grain: one row per store and device, of the sessions that are kept. A bot's is one all of whose sessions are. The
-- first source is that of the earliest session that names a source, medium or campaign.
WITH visited AS (
    SELECT
        store_id, device_key,
        min(started_at) AS first_seen_at,
        max(ended_at) AS last_seen_at,
        count(*) FILTER (WHERE NOT is_report) AS visits,
        CAST(sum(orders) AS BIGINT) AS orders,
        first(
            {'source': marketing_source, 'medium': marketing_medium, 'campaign': marketing_campaign}
            ORDER BY started_at, session_key
        ) FILTER (
            WHERE coalesce(marketing_source, marketing_medium, marketing_campaign) IS NOT NULL
        ) AS first_named,
        bool_and(is_bot) AS is_bot
    FROM sessions
    GROUP BY ALL
),

known AS (
    SELECT
        store_id, device_key,
        first(customer_id ORDER BY occurred_at DESC, event_key DESC) AS last_customer_id
    FROM events
    WHERE customer_id IS NOT NULL
    GROUP BY ALL
)

SELECT
    store_id, device_key, first_seen_at, last_seen_at, visits, orders,
    first_named.source AS first_marketing_source,
    first_named.medium AS first_marketing_medium,
    first_named.campaign AS first_marketing_campaign,
    last_customer_id, is_bot
FROM visited
LEFT JOIN known USING (store_id, device_key);

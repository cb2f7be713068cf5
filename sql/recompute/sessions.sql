-- Grain: one row per session in `source`, a relation shaped like `events` (S1-S6).
-- Prefetched events are in none (P2). Orders, has_converted and is_open are not here: they need other
-- devices, or the log. The partition is that of the last event: a device is in another one from the day on which
-- their number grew. Of what a session takes from an event, `…_event` is the event's place in T5 order,
-- NULL where it is the first event.
CREATE OR REPLACE TEMP MACRO recompute_sessions(source) AS TABLE
WITH placed AS (
    SELECT
        *,
        coalesce(
            occurred_at > lag(occurred_at) OVER in_order + (SELECT gap FROM rules), true
        ) AS is_first,
        place_of(occurred_at, event_type, event_key) AS place,
        CASE
            WHEN coalesce(marketing_source, marketing_medium, marketing_campaign) IS NOT NULL THEN {
                'source': marketing_source, 'medium': marketing_medium, 'name': marketing_campaign
            }
        END AS campaign
    FROM query_table(source)
    WHERE NOT is_prefetch
    WINDOW in_order AS (
        PARTITION BY store_id, device_key, session_id
        ORDER BY occurred_at, event_rank(event_type), event_key
    )
),

numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_first) OVER (
            PARTITION BY store_id, device_key, session_id
            ORDER BY occurred_at, event_rank(event_type), event_key
            ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM placed
)

SELECT
    store_id,
    max({'at': occurred_at, 'partition': partition}).partition AS partition,
    session_key_of(store_id, device_key, session_id, min(occurred_at)) AS session_key,
    session_id,
    device_key,
    min(occurred_at) AS started_at,
    max(occurred_at) AS ended_at,
    max(occurred_at) - min(occurred_at) AS duration,
    count(*) AS events,
    count(*) FILTER (WHERE event_type = 'search') AS searches,
    count(*) FILTER (WHERE event_type = 'autocomplete') AS autocompletes,
    count(*) FILTER (WHERE event_type = 'collection_view') AS collection_views,
    count(*) FILTER (WHERE event_type = 'block_view') AS block_views,
    count(*) FILTER (WHERE event_type = 'product_impression') AS product_impressions,
    count(*) FILTER (WHERE event_type = 'product_hover') AS product_hovers,
    count(*) FILTER (WHERE event_type = 'product_touch') AS product_touches,
    count(*) FILTER (WHERE event_type = 'product_click') AS product_clicks,
    count(*) FILTER (WHERE event_type = 'product_view') AS product_views,
    count(*) FILTER (WHERE event_type = 'add_to_cart') AS add_to_carts,
    count(*) FILTER (WHERE event_type = 'purchase') AS purchases,
    count(*) FILTER (WHERE event_type = 'refund') AS refunds,
    max(event_type) FILTER (WHERE is_first) AS first_event_type,
    max(collection_handle) FILTER (WHERE is_first) AS entry_collection,
    max(query) FILTER (WHERE is_first) AS entry_query,
    max(product_id) FILTER (WHERE is_first) AS entry_product_id,
    arg_min(campaign, place).source AS marketing_source,
    arg_min(campaign, place).medium AS marketing_medium,
    arg_min(campaign, place).name AS marketing_campaign,
    max(shopping_channel) FILTER (WHERE is_first) AS shopping_channel,
    max(day) FILTER (WHERE is_first) AS day,
    max(device_type) FILTER (WHERE is_first) AS device_type,
    max(browser) FILTER (WHERE is_first) AS browser,
    max(country) FILTER (WHERE is_first) AS country,
    arg_min(attribution_token, place) AS landing_token,
    arg_min(product_id, place) AS landing_product_id,
    bool_and(is_bot) AS is_bot,
    bool_and(is_server AND event_type IN ('purchase', 'refund')) AS is_report,
    max(event_key) FILTER (WHERE is_first) AS first_event_key,
    later_than(min(place) FILTER (WHERE campaign IS NOT NULL), min(place)) AS marketing_event,
    later_than(min(place) FILTER (WHERE attribution_token IS NOT NULL), min(place)) AS landing_token_event,
    later_than(min(place) FILTER (WHERE product_id IS NOT NULL), min(place)) AS landing_product_event,
    bool_or(is_late) AS has_late,
    device_key_hash_of(store_id, device_key) AS device_key_hash
FROM numbered
GROUP BY store_id, device_key, session_id, number;

-- Grain: one row per session in `source`, a relation shaped like `events` (S1-S6).
-- Orders, has_converted and is_open are not here: they need other devices, or the log.
CREATE OR REPLACE TEMP MACRO recompute_sessions(source) AS TABLE
WITH placed AS (
    SELECT
        *,
        coalesce(
            occurred_at > lag(occurred_at) OVER in_order + (SELECT gap FROM rules), true
        ) AS is_first
    FROM query_table(source)
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
    any_value(partition) AS partition,
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
    max(marketing_source) FILTER (WHERE is_first) AS marketing_source,
    max(marketing_medium) FILTER (WHERE is_first) AS marketing_medium,
    max(marketing_campaign) FILTER (WHERE is_first) AS marketing_campaign,
    max(shopping_channel) FILTER (WHERE is_first) AS shopping_channel,
    bool_or(is_bot) AS is_bot
FROM numbered
GROUP BY store_id, device_key, session_id, number;

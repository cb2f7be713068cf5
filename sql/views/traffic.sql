-- Grain: one row per store and day. People's events by kind; those of bots and prefetched ones are
-- counted beside them (P3).
SELECT
    store_id,
    day,
    CAST(sum(people) AS BIGINT) AS events,
    CAST(sum(CASE event_type WHEN 'search' THEN people ELSE 0 END) AS BIGINT) AS searches,
    CAST(sum(CASE event_type WHEN 'collection_view' THEN people ELSE 0 END) AS BIGINT)
        AS collection_views,
    CAST(sum(CASE event_type WHEN 'product_impression' THEN people ELSE 0 END) AS BIGINT)
        AS product_impressions,
    CAST(sum(CASE event_type WHEN 'product_click' THEN people ELSE 0 END) AS BIGINT)
        AS product_clicks,
    CAST(sum(CASE event_type WHEN 'product_view' THEN people ELSE 0 END) AS BIGINT) AS product_views,
    CAST(sum(CASE event_type WHEN 'add_to_cart' THEN people ELSE 0 END) AS BIGINT) AS add_to_carts,
    CAST(sum(CASE event_type WHEN 'purchase' THEN people ELSE 0 END) AS BIGINT) AS purchase_events,
    CAST(sum(bots) AS BIGINT) AS bot_events,
    CAST(sum(prefetched) AS BIGINT) AS prefetched_events
FROM (
    SELECT
        *,
        CASE WHEN is_bot OR is_prefetch THEN 0 ELSE events END AS people,
        CASE WHEN is_bot AND NOT is_prefetch THEN events ELSE 0 END AS bots,
        CASE WHEN is_prefetch THEN events ELSE 0 END AS prefetched
    FROM daily_traffic
)
GROUP BY store_id, day;

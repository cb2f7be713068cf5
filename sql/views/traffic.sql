-- Grain: one row per store and UTC day. People's events by kind; bots are counted beside them.
SELECT
    store_id,
    day,
    coalesce(sum(events) FILTER (WHERE NOT is_bot), 0) AS events,
    coalesce(sum(events) FILTER (WHERE NOT is_bot AND event_type = 'search'), 0) AS searches,
    coalesce(
        sum(events) FILTER (WHERE NOT is_bot AND event_type = 'collection_view'), 0
    ) AS collection_views,
    coalesce(
        sum(events) FILTER (WHERE NOT is_bot AND event_type = 'product_impression'), 0
    ) AS product_impressions,
    coalesce(
        sum(events) FILTER (WHERE NOT is_bot AND event_type = 'product_click'), 0
    ) AS product_clicks,
    coalesce(
        sum(events) FILTER (WHERE NOT is_bot AND event_type = 'product_view'), 0
    ) AS product_views,
    coalesce(
        sum(events) FILTER (WHERE NOT is_bot AND event_type = 'add_to_cart'), 0
    ) AS add_to_carts,
    coalesce(sum(events) FILTER (WHERE NOT is_bot AND event_type = 'purchase'), 0) AS purchases,
    coalesce(sum(events) FILTER (WHERE is_bot), 0) AS bot_events
FROM daily_traffic
GROUP BY store_id, day;

-- Grain: one row per store and UTC day. People's events by kind; bots are counted beside them.
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
    CAST(sum(CASE event_type WHEN 'purchase' THEN people ELSE 0 END) AS BIGINT) AS purchases,
    CAST(sum(bots) AS BIGINT) AS bot_events
FROM (
    SELECT
        *,
        CASE WHEN is_bot THEN 0 ELSE events END AS people,
        CASE WHEN is_bot THEN events ELSE 0 END AS bots
    FROM daily_traffic
)
GROUP BY store_id, day;

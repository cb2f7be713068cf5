-- At which hours do people visit and buy, by the store's clock? Optional: $store, $first, $last.
SELECT
    store_id,
    hour,
    count(*) AS events,
    count(*) FILTER (WHERE event_type = 'search') AS searches,
    count(*) FILTER (WHERE event_type = 'product_click') AS product_clicks,
    count(*) FILTER (WHERE event_type = 'add_to_cart') AS add_to_carts,
    count(*) FILTER (WHERE event_type = 'purchase') AS purchase_events
FROM people_events
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, hour
ORDER BY store_id, hour;

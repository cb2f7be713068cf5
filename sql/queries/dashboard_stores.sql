-- The stores that have events, with their first and last day. Grain: one row per store.
SELECT store_id, min(day) AS first_day, max(day) AS last_day
FROM daily_traffic
GROUP BY store_id
ORDER BY store_id;

-- How many events of each type happened each day? Optional: $store.
FROM traffic
WHERE $store IS NULL OR store_id = $store
ORDER BY store_id, day;

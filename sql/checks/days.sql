-- Every day is the store's, by the zone that the warehouse keeps for it (T10).
SELECT 'events' AS tables, store_id, occurred_at AS moment, day, hour
FROM events
JOIN stores USING (store_id)
WHERE day IS DISTINCT FROM CAST(time_in(timezone, occurred_at) AS DATE)
    OR hour IS DISTINCT FROM hour(time_in(timezone, occurred_at))
    OR received_day IS DISTINCT FROM CAST(time_in(timezone, received_at) AS DATE)
UNION ALL
SELECT 'stores', store_id, min(occurred_at), min(day), NULL
FROM events
ANTI JOIN stores USING (store_id)
GROUP BY store_id;

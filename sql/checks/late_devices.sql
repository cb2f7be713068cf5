-- Each device with a late event that can still reach its rows is known, and until when (T7). One that has been in
-- several partitions may be known longer: its session is that of one of them, and then of another.
WITH stored AS (FROM late_devices),

recomputed AS (FROM recompute_late_devices('events', 'sessions')),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed),

moved AS (
    SELECT store_id, device_key
    FROM events
    WHERE (store_id, device_key) IN (SELECT (store_id, device_key) FROM stored)
    GROUP BY ALL
    HAVING count(DISTINCT partition) > 1
)

SELECT 'only stored' AS side, *
FROM (
    FROM stored WHERE (store_id, device_key) NOT IN (SELECT (store_id, device_key) FROM moved)
    EXCEPT ALL
    FROM by_name
)
UNION ALL
SELECT 'only recomputed' AS side, by_name.*
FROM by_name
WHERE NOT EXISTS (
    FROM stored
    WHERE stored.store_id = by_name.store_id
        AND stored.device_key = by_name.device_key
        AND stored.partition = by_name.partition
        AND stored.reaches >= by_name.reaches
);

-- Do new or returning devices visit and buy? Optional: $store, $first, $last.
-- A device is new in the first of its sessions that is kept, and returns in all others.
WITH visits AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY store_id, device_key ORDER BY started_at, session_key) = 1 AS is_new
    FROM sessions
    WHERE NOT is_bot AND NOT is_report AND ($store IS NULL OR store_id = $store)
)

SELECT
    store_id,
    day,
    count(*) AS sessions,
    count(*) FILTER (WHERE is_new) AS new_sessions,
    count(*) FILTER (WHERE NOT is_new) AS returning_sessions,
    count(*) FILTER (WHERE is_new AND has_converted) AS new_bought,
    count(*) FILTER (WHERE NOT is_new AND has_converted) AS returning_bought
FROM visits
WHERE day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY store_id, day
ORDER BY store_id, day;

-- Do new or returning devices visit and buy? Optional: $store, $first, $last.
-- A device is new in the first of its sessions that is kept, and returns in all others.
WITH visits AS (
    SELECT store_id, day, device_key, device_key_hash, session_key, has_converted
    FROM people_sessions
    WHERE ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

-- Of the devices that visit on these days: all others are as many as the store has ever had.
firsts AS (
    SELECT store_id, device_key, arg_min(session_key, (started_at, session_key)) AS first_session
    FROM people_sessions
    WHERE device_key_hash IN (SELECT device_key_hash FROM visits)
    GROUP BY store_id, device_key
)

SELECT
    store_id,
    day,
    count(*) AS sessions,
    count(*) FILTER (WHERE session_key = first_session) AS new_sessions,
    count(*) FILTER (WHERE session_key <> first_session) AS returning_sessions,
    count(*) FILTER (WHERE session_key = first_session AND has_converted) AS new_bought,
    count(*) FILTER (WHERE session_key <> first_session AND has_converted) AS returning_bought
FROM visits
JOIN firsts USING (store_id, device_key)
GROUP BY store_id, day
ORDER BY store_id, day;

-- How many devices come back in later weeks? Optional: $store, $first, $last (days of the first visit).
-- One row per week of first visits, from Monday, and number of weeks later; a device counts once in each.
WITH candidates AS (
    SELECT DISTINCT device_key_hash
    FROM people_sessions
    WHERE ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

weeks AS (
    SELECT store_id, device_key, CAST(date_trunc('week', day) AS DATE) AS week, min(day) AS first_day
    FROM people_sessions
    WHERE device_key_hash IN (SELECT device_key_hash FROM candidates)
    GROUP BY ALL
),

-- A device of another day with the same hash is left out here, by its first day.
visitors AS (
    SELECT store_id, min(first_day) AS first_day, list(week) AS weeks
    FROM weeks
    GROUP BY store_id, device_key
    HAVING min(first_day) BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

visits AS (
    SELECT store_id, CAST(date_trunc('week', first_day) AS DATE) AS first_week, unnest(weeks) AS week
    FROM visitors
),

cohorts AS (
    SELECT
        store_id, first_week, CAST((week - first_week) // 7 AS INTEGER) AS weeks_later,
        count(*) AS returned_devices
    FROM visits
    GROUP BY ALL
)

SELECT
    store_id,
    first_week,
    weeks_later,
    returned_devices,
    round(100.0 * returned_devices / max(returned_devices) FILTER (WHERE weeks_later = 0) OVER (
        PARTITION BY store_id, first_week
    ), 2) AS returned_percent
FROM cohorts
ORDER BY store_id, first_week, weeks_later;

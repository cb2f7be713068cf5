-- Grain: one row per store with events, with what `clocks` knows of it.
SELECT store_id, timezone, first_day, last_day, today, time_of_day
FROM clocks
ORDER BY store_id;

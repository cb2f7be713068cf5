-- Grain: one row per store with events: its zone, its first and last day, and where the stream stands in it: day and
-- time of day. The day of the stream is unfinished.
CREATE OR REPLACE TEMP VIEW clocks AS
SELECT
    store_id, timezone, first_day, last_day,
    CAST(time_in(timezone, stream_time) AS DATE) AS today,
    CAST(time_in(timezone, stream_time) AS TIME) AS time_of_day
FROM (SELECT store_id, min(day) AS first_day, max(day) AS last_day FROM snapshot.main.daily_traffic GROUP BY ALL)
JOIN snapshot.main.stores USING (store_id)
CROSS JOIN (SELECT max(stream_time) AS stream_time FROM snapshot.main.ledger);

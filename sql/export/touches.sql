-- By the day of the touch in the time zone of its store (T10).
SELECT held.*, CAST(time_in(timezone, touched_at) AS DATE) AS day
FROM touches AS held JOIN stores USING (store_id)

-- Grain: one row per event, with its session (S1-S3).
SELECT e.*, s.session_key, s.started_at AS session_started_at
FROM events AS e
JOIN sessions AS s
    ON e.store_id = s.store_id
    AND e.device_key = s.device_key
    AND e.session_id = s.session_id
    AND e.occurred_at BETWEEN s.started_at AND s.ended_at;

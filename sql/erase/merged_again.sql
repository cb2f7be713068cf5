-- All that their devices have is made of these events, and nothing of the stream.
INSERT INTO merged_devices
SELECT DISTINCT store_id, device_key FROM in_events;

INSERT INTO merged_events SELECT * EXCLUDE (place) FROM in_events;
INSERT INTO added_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open FROM recompute_sessions('merged_events')
-- What has gone with its time (T11) does not come again.
WHERE is_kept_session(ended_at);

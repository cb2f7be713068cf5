-- The devices that the stream cannot know whole: a late event has just arrived, or a late or missing
-- one can still change rows (architecture, the loader's transaction). Their rows are recomputed from
-- `events`. Each transaction finds these devices again; none are remembered.

-- Sessions from before this transaction that one of its records can still change.
INSERT INTO open_sessions
SELECT store_id, device_key, session_id, started_at, ended_at, missing_until
FROM sessions
JOIN in_devices USING (store_id, device_key)
CROSS JOIN rules
WHERE ended_at + gap >= horizon
    AND ended_at >= (SELECT horizon - gap FROM min_horizon, rules);

INSERT INTO recomputed_devices
SELECT store_id, device_key FROM fresh WHERE is_late
UNION
-- A late event's session can grow until its end plus the gap ...
SELECT store_id, device_key
FROM events
SEMI JOIN open_sessions
    ON events.store_id = open_sessions.store_id
    AND events.device_key = open_sessions.device_key
    AND events.session_id = open_sessions.session_id
    AND events.occurred_at BETWEEN open_sessions.started_at AND open_sessions.ended_at
WHERE is_late AND occurred_at >= (SELECT min(started_at) FROM open_sessions)
UNION
-- ... a late touch can claim conversions for a lookback.
SELECT store_id, device_key
FROM events
JOIN in_devices USING (store_id, device_key)
CROSS JOIN rules
WHERE is_late
    AND event_type = 'product_click'
    AND attribution_token IS NOT NULL
    AND occurred_at + lookback >= horizon
    AND occurred_at >= (SELECT horizon - lookback FROM min_horizon, rules)
UNION
-- A missing event may belong to any session that began within a gap of it ...
SELECT store_id, device_key
FROM open_sessions CROSS JOIN rules
WHERE started_at <= missing_until + gap
UNION
-- ... or to one that begins now, and it may be a touch.
SELECT store_id, device_key
FROM in_devices CROSS JOIN rules
WHERE missing_until + greatest(gap, lookback) >= horizon;

-- Not `rowid IN (…)`, although it reads 20 times less: in DuckDB 2.0.0 it goes wrong with rows of the
-- running transaction (rows twice, and a segmentation fault).
INSERT INTO recomputed_events FROM events SEMI JOIN recomputed_devices USING (store_id, device_key);

-- Which devices the stream cannot know whole: those with a late event that has just come, or with a
-- late or missing one whose reach is not yet behind the horizon (architecture, healing). Their rows
-- come from `events`. Read anew in each transaction, never remembered.
-- If any: FROM in_devices
--
-- Sessions, as they stood before this transaction, that a record of it can still change.
INSERT INTO growing
SELECT store_id, device_key, session_id, started_at, ended_at, missing_until
FROM sessions
JOIN in_devices USING (store_id, device_key)
CROSS JOIN rules
WHERE ended_at + gap >= horizon
    AND ended_at >= (SELECT horizon - gap FROM lowest, rules);

INSERT INTO healed
SELECT store_id, device_key FROM fresh WHERE is_late
UNION
-- A late event's session may yet grow until its end and the gap ...
SELECT store_id, device_key
FROM events
SEMI JOIN growing
    ON events.store_id = growing.store_id
    AND events.device_key = growing.device_key
    AND events.session_id = growing.session_id
    AND events.occurred_at BETWEEN growing.started_at AND growing.ended_at
WHERE is_late AND occurred_at >= (SELECT min(started_at) FROM growing)
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
    AND occurred_at >= (SELECT horizon - lookback FROM lowest, rules)
UNION
-- A missing event may stand in any session that began within a gap of it ...
SELECT store_id, device_key FROM growing CROSS JOIN rules WHERE started_at <= missing_until + gap
UNION
-- ... in one that only begins now, and may be a touch.
SELECT store_id, device_key
FROM in_devices CROSS JOIN rules
WHERE missing_until + greatest(gap, lookback) >= horizon;

-- Not `rowid IN (…)`, which reads 20 times less: DuckDB 2.0.0 mistakes rows of the running transaction
-- under it (rows twice, and a segmentation fault).
INSERT INTO healed_events FROM events SEMI JOIN healed USING (store_id, device_key);

-- Session rows: the stream's for most devices, a recompute for the healed ones, and again those
-- that lost an order line to an earlier one (A9). Old rows go and new ones come together (S3).
TRUNCATE new_sessions;
TRUNCATE old_sessions;

INSERT INTO new_sessions FROM in_sessions ANTI JOIN healed USING (store_id, device_key);
INSERT INTO new_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open
FROM recompute_sessions('healed_events');

UPDATE new_sessions SET is_open = in_ledger.stream_time <= ended_at + (SELECT gap FROM rules)
FROM in_ledger WHERE in_ledger.partition = new_sessions.partition;

INSERT INTO old_sessions
SELECT sessions.* FROM sessions
SEMI JOIN (
    SELECT session_key FROM in_gone ANTI JOIN healed USING (store_id, device_key)
    UNION
    SELECT session_key FROM new_sessions
) AS replaced USING (session_key)
WHERE started_at >= least(
    (SELECT min(started_at) FROM in_gone), (SELECT min(started_at) FROM new_sessions)
);
INSERT INTO old_sessions
FROM sessions SEMI JOIN healed USING (store_id, device_key)
ANTI JOIN old_sessions USING (session_key);

-- A session that only an order line changes: the same row goes and comes, its orders anew.
INSERT INTO new_sessions
FROM sessions
SEMI JOIN old_lines
    ON sessions.store_id = old_lines.store_id
    AND sessions.device_key = old_lines.device_key
    AND sessions.session_id = old_lines.session_id
    AND old_lines.occurred_at BETWEEN sessions.started_at AND sessions.ended_at
ANTI JOIN old_sessions ON sessions.session_key = old_sessions.session_key;
INSERT INTO old_sessions
FROM sessions
SEMI JOIN old_lines
    ON sessions.store_id = old_lines.store_id
    AND sessions.device_key = old_lines.device_key
    AND sessions.session_id = old_lines.session_id
    AND old_lines.occurred_at BETWEEN sessions.started_at AND sessions.ended_at
ANTI JOIN old_sessions ON sessions.session_key = old_sessions.session_key;

UPDATE new_sessions SET has_converted = false, orders = 0;
UPDATE new_sessions SET has_converted = true, orders = bought.orders
FROM recompute_session_orders('new_sessions', 'order_lines') AS bought
WHERE new_sessions.session_key = bought.session_key;

DELETE FROM sessions
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO sessions FROM new_sessions;

DELETE FROM session_revenue
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO session_revenue FROM recompute_session_revenue('new_sessions', 'order_lines');

-- S7: a silence over the gap, in stream time, closes what stood open.
UPDATE sessions SET is_open = false
FROM in_ledger
WHERE sessions.is_open
    AND sessions.partition = in_ledger.partition
    AND in_ledger.stream_time > sessions.ended_at + (SELECT gap FROM rules);

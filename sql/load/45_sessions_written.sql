-- What sessions bought, whether they are open (S7), and the rows themselves.
-- If any: FROM new_sessions
INSERT INTO lines_near
FROM order_lines
WHERE occurred_at >= (SELECT min(started_at) FROM new_sessions)
    AND occurred_at <= (SELECT max(ended_at) FROM new_sessions);

UPDATE new_sessions SET has_converted = false, orders = 0;
UPDATE new_sessions SET has_converted = true, orders = bought.orders
FROM recompute_session_orders('new_sessions', 'lines_near') AS bought
WHERE new_sessions.session_key = bought.session_key;

UPDATE new_sessions SET is_open = in_ledger.stream_time <= ended_at + (SELECT gap FROM rules)
FROM in_ledger WHERE in_ledger.partition = new_sessions.partition;

DELETE FROM sessions
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO sessions FROM new_sessions;

DELETE FROM session_revenue
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO session_revenue FROM recompute_session_revenue('new_sessions', 'lines_near');

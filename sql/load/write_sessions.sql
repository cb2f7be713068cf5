-- Write the session rows, with their orders and revenue. They are open; `close_sessions` closes them (S7).
INSERT INTO lines_near
FROM order_lines
WHERE occurred_at >= (SELECT min(started_at) FROM new_sessions)
    AND occurred_at <= (SELECT max(ended_at) FROM new_sessions);

UPDATE new_sessions SET has_converted = false, orders = 0;
UPDATE new_sessions SET has_converted = true, orders = bought.orders
FROM recompute_session_orders('new_sessions', 'lines_near') AS bought
WHERE new_sessions.session_key = bought.session_key;

DELETE FROM sessions
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO sessions FROM new_sessions;

DELETE FROM session_revenue
WHERE session_key IN (SELECT session_key FROM old_sessions)
    AND started_at >= (SELECT min(started_at) FROM old_sessions);
INSERT INTO session_revenue FROM recompute_session_revenue('new_sessions', 'lines_near');

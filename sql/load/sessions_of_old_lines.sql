-- Sessions with an order line that now counts otherwise (A9, A11): the row is replaced, its orders counted
-- again.
INSERT INTO recounted_sessions
FROM sessions
SEMI JOIN old_lines
    ON sessions.store_id = old_lines.store_id
    AND sessions.device_key = old_lines.device_key
    AND sessions.session_id = old_lines.session_id
    AND old_lines.occurred_at BETWEEN sessions.started_at AND sessions.ended_at
ANTI JOIN old_sessions ON sessions.session_key = old_sessions.session_key
WHERE overlaps_old_lines(sessions.started_at, sessions.ended_at);

INSERT INTO new_sessions FROM recounted_sessions;
INSERT INTO old_sessions FROM recounted_sessions;

-- Sessions that lost an order line to an earlier one (A9): the row is replaced, its orders counted again.
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

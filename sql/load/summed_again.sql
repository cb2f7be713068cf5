-- Rows that went are not waited for.
DELETE FROM unsummed_sessions WHERE session_key IN (SELECT session_key FROM old_sessions);

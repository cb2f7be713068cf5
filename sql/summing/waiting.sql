-- They wait no more.
DELETE FROM unsummed_sessions WHERE session_key IN (SELECT session_key FROM summed_sessions);

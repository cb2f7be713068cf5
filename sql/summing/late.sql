-- Closed sessions that came after the sums had reached their end.
INSERT INTO summed_sessions
FROM (FROM sessions WHERE near_unsummed_sessions(started_at) AND NOT is_open) AS held
SEMI JOIN unsummed_sessions USING (session_key)
LIMIT getvariable('most');

-- Rows that came too late for the sums by day: they are added to them later.
INSERT INTO unsummed_sessions
SELECT session_key, started_at FROM new_sessions WHERE ended_at <= (SELECT max(until) FROM summed_until);

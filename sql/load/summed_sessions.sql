-- Of the rows that went, those that the sums by day have (K1, Q2).
INSERT INTO summed_sessions
FROM old_sessions
ANTI JOIN unsummed_sessions ON old_sessions.session_key = unsummed_sessions.session_key
WHERE ended_at <= (SELECT max(until) FROM summed_until);

-- The rows that those of the stream replace (S3).
INSERT INTO old_sessions
SELECT held.* FROM sessions AS held
SEMI JOIN (
    SELECT session_key FROM in_gone
    UNION
    SELECT session_key FROM new_sessions
) AS replaced USING (session_key)
WHERE near_stream_sessions(held.started_at);

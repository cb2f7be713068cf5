-- Session rows of the stream, and the rows that they replace (S3).
INSERT INTO new_sessions FROM in_sessions ANTI JOIN recomputed_devices USING (store_id, device_key);

INSERT INTO old_sessions
SELECT sessions.* FROM sessions
SEMI JOIN (
    SELECT session_key FROM in_gone ANTI JOIN recomputed_devices USING (store_id, device_key)
    UNION
    SELECT session_key FROM new_sessions
) AS replaced USING (session_key)
WHERE started_at >= least(
    (SELECT min(started_at) FROM in_gone), (SELECT min(started_at) FROM new_sessions)
);

-- A session is open exactly while its partition's stream time has not passed its end and the gap (S7).
SELECT sessions.session_key, sessions.ended_at, sessions.is_open, ledger.stream_time
FROM sessions
JOIN ledger USING (partition)
WHERE sessions.is_open <> (ledger.stream_time <= sessions.ended_at + (SELECT gap FROM rules));

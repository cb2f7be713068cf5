-- S7: silence longer than the gap, in stream time, closes a session. Of a partition only those can be open
-- that were so by the stream time before.
UPDATE sessions SET is_open = false
FROM in_ledger
WHERE sessions.is_open
    AND near_closed_sessions(sessions.ended_at)
    AND sessions.partition = in_ledger.partition
    AND in_ledger.stream_time > sessions.ended_at + (SELECT gap FROM rules);

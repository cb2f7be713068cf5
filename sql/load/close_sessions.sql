-- S7: silence longer than the gap, in stream time, closes a session.
UPDATE sessions SET is_open = false
FROM in_ledger
WHERE sessions.is_open
    AND sessions.partition = in_ledger.partition
    AND in_ledger.stream_time > sessions.ended_at + (SELECT gap FROM rules);

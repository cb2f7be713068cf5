-- S7: a silence over the gap, in stream time, closes what stood open.
UPDATE sessions SET is_open = false
FROM in_ledger
WHERE sessions.is_open
    AND sessions.partition = in_ledger.partition
    AND in_ledger.stream_time > sessions.ended_at + (SELECT gap FROM rules);

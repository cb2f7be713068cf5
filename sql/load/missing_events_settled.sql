-- Missing events can no longer change a row: their touches claim nothing, and every session that began within
-- a gap of them has ended.
UPDATE ledger SET missing_until = NULL
FROM rules
WHERE missing_until + greatest(gap, lookback) < stream_time - lateness
    AND NOT EXISTS (
        FROM sessions
        WHERE near_missing_events(ended_at)
            AND sessions.partition = ledger.partition
            AND started_at <= missing_until + gap
            AND ended_at + gap >= stream_time - lateness
    );

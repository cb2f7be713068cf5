-- Missing events can no longer change a row: their sessions have ended, their touches claim nothing. The
-- same bounds as in `recomputed_devices`, over all devices of the partition.
UPDATE ledger SET missing_until = NULL
FROM rules
WHERE missing_until + greatest(gap, lookback) < stream_time - lateness
    AND NOT EXISTS (
        FROM sessions
        WHERE sessions.partition = ledger.partition
            AND started_at <= missing_until + gap
            AND ended_at + gap >= stream_time - lateness
    );

-- What was missing touches no row any more: its sessions have ended, its touches claim nothing. The
-- same bounds as those of healing, over all devices of the partition.
-- If any: FROM ledger WHERE missing_until IS NOT NULL
UPDATE ledger SET missing_until = NULL
FROM rules
WHERE missing_until + greatest(gap, lookback) < stream_time - lateness
    AND NOT EXISTS (
        FROM sessions
        WHERE sessions.partition = ledger.partition
            AND started_at <= missing_until + gap
            AND ended_at + gap >= stream_time - lateness
    );

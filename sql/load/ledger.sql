-- The origins that this transaction loaded: rows and watermark move in one commit.
UPDATE in_ledger SET
    events = in_ledger.events - repeats.count,
    duplicates = in_ledger.duplicates + repeats.count
FROM (
    SELECT partition, count(*) AS count
    FROM late_candidates
    WHERE repeats IS NOT NULL
    GROUP BY ALL
) AS repeats
WHERE in_ledger.partition = repeats.partition;

MERGE INTO ledger USING in_ledger AS new ON ledger.partition = new.partition
WHEN MATCHED THEN UPDATE SET
    next_origin = new.next_origin,
    stream_time = new.stream_time,
    records = ledger.records + new.records,
    events = ledger.events + new.events,
    duplicates = ledger.duplicates + new.duplicates,
    failed = ledger.failed + new.failed,
    erased = ledger.erased + new.erased,
    expired = ledger.expired + new.expired,
    missing_until = coalesce(new.missing_until, ledger.missing_until)
WHEN NOT MATCHED THEN INSERT;

MERGE INTO positions USING in_positions AS new
    ON positions.topic = new.topic AND positions.partition = new.partition
WHEN MATCHED THEN UPDATE SET next_offset = new.next_offset
WHEN NOT MATCHED THEN INSERT;

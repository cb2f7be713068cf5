-- The origins that this transaction loaded: rows and watermark move in one commit. A partition that the ledger
-- holds has no hole: of it, only what the transaction does not take is missing.
MERGE INTO ledger USING (
    SELECT * EXCLUDE (dropped_until) REPLACE (
        greatest(dropped_until, if(partition IN (SELECT partition FROM ledger), NULL, missing_until)) AS missing_until
    )
    FROM in_ledger
) AS new ON ledger.partition = new.partition
WHEN MATCHED THEN UPDATE SET
    next_origin = new.next_origin,
    stream_time = new.stream_time,
    records = ledger.records + new.records,
    events = ledger.events + new.events,
    duplicates = ledger.duplicates + new.duplicates,
    failed = ledger.failed + new.failed,
    erased = ledger.erased + new.erased,
    expired = ledger.expired + new.expired,
    missing_until = greatest(new.missing_until, ledger.missing_until)
WHEN NOT MATCHED THEN INSERT;

-- The origins that this transaction loaded: rows and watermark move in one commit. A partition that the ledger
-- holds has no hole: only of a new one may events be missing.
MERGE INTO ledger USING in_ledger AS new ON ledger.partition = new.partition
WHEN MATCHED THEN UPDATE SET
    next_origin = new.next_origin,
    stream_time = new.stream_time,
    records = ledger.records + new.records,
    events = ledger.events + new.events,
    duplicates = ledger.duplicates + new.duplicates,
    failed = ledger.failed + new.failed,
    erased = ledger.erased + new.erased,
    expired = ledger.expired + new.expired
WHEN NOT MATCHED THEN INSERT;

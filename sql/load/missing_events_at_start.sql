-- A warehouse that begins inside the log lacks events that the stream may know. A partition that the
-- ledger holds has no hole, and a log read from its first record has no stream time yet.
UPDATE in_ledger SET missing_until = NULL
FROM ledger
WHERE in_ledger.partition = ledger.partition;

-- What the stream does not know to be erased is missing here, too.
UPDATE in_ledger SET missing_until = greatest(missing_until, dropped_until)
WHERE dropped_until IS NOT NULL;

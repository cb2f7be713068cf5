-- Where a warehouse begins inside the log, what is missing may be known to the stream. A partition that
-- the ledger holds goes on without a hole, and before the first record of all there is no stream time.
UPDATE in_ledger SET missing_until = NULL
FROM ledger
WHERE in_ledger.partition = ledger.partition;

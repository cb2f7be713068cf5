-- A ledger that does not begin with its log: up to this stream time the worker may have seen events
-- that `events` lacks. NULL where none are missing, or where they no longer touch any row.
ALTER TABLE ledger ADD COLUMN missing_until TIMESTAMP;

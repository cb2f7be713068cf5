-- Where the records of a partition do not follow those that the ledger holds, what is missing may
-- be known to the stream; else nothing is.
UPDATE in_ledger SET missing_until = NULL
WHERE first_origin = coalesce(
    (SELECT next_origin FROM ledger WHERE ledger.partition = in_ledger.partition), 0
);

-- As the snapshot has it.
FROM ledger

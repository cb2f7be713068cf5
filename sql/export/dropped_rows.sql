-- As the snapshot has it.
FROM dropped_rows

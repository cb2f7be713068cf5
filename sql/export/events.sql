-- As the snapshot has it.
FROM events

-- As the snapshot has it.
FROM retention

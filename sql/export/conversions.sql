-- As the snapshot has it.
FROM conversions

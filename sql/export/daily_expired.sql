-- As the snapshot has it.
FROM daily_expired

-- As the snapshot has it.
FROM daily_arrivals

-- As the snapshot has it.
FROM stores

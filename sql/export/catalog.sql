-- As the snapshot has it.
FROM catalog

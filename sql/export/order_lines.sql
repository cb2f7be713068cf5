-- As the snapshot has it.
FROM order_lines

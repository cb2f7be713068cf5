-- The order lines of one bucket of orders, and which of them count (A8, A9, A11).
INSERT INTO rebuilt_order_lines BY NAME FROM settled_order_lines('bucket_reports');

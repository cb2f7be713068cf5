-- Order lines, and which of them count (A8, A9): only here do all devices meet. A line can change what
-- counts of the whole order, so all lines of the orders concerned are settled again.
INSERT INTO settled_lines BY NAME FROM unconfirmed_order_lines('order_reports');

-- Order lines, and which of them count (A8, A9, A11): only here do all devices meet. A line can change what
-- counts of the whole order, so all lines of the orders concerned are settled again; `old_lines` are those
-- that are now otherwise, `new_lines` what takes their place and what is new.
INSERT INTO settled_lines BY NAME FROM settled_order_lines('order_reports');
INSERT INTO new_lines FROM settled_lines EXCEPT ALL FROM competing_lines;
INSERT INTO old_lines FROM competing_lines EXCEPT ALL FROM settled_lines;

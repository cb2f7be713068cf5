-- The new lines of orders, as reported.
INSERT INTO order_reports BY NAME FROM reported_lines('in_events');

-- The same where some reports are trusted, or must be confirmed (A11).
INSERT INTO settled_lines BY NAME FROM settled_order_lines('order_reports');

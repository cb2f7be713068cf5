-- Order lines that are new, or count otherwise than before.
INSERT INTO order_lines FROM new_lines;

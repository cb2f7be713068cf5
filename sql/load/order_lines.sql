-- Order lines, and which of them count (A8, A9, A11): only here do all devices meet. A line can change what
-- counts of the whole order, so all lines of the orders concerned are settled again; `old_lines` are those
-- that are now otherwise, `new_lines` what takes their place and what is new.
INSERT INTO order_reports BY NAME FROM reported_lines('fresh');

INSERT INTO competing_lines
SELECT held.*
FROM order_lines AS held
SEMI JOIN order_reports AS new ON held.store_id = new.store_id AND held.order_id = new.order_id;

INSERT INTO order_reports BY NAME
SELECT * EXCLUDE (
    quantity, price, currency, revenue, is_counted, is_repeated, is_unconfirmed, counts_order
)
FROM competing_lines;

INSERT INTO settled_lines BY NAME FROM settled_order_lines('order_reports');
INSERT INTO new_lines FROM settled_lines EXCEPT ALL FROM competing_lines;
INSERT INTO old_lines FROM competing_lines EXCEPT ALL FROM settled_lines;

DELETE FROM order_lines
WHERE (event_key, occurred_at, line) IN (SELECT (event_key, occurred_at, line) FROM old_lines)
    AND occurred_at >= (SELECT min(occurred_at) FROM old_lines);
INSERT INTO order_lines FROM new_lines;

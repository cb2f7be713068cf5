-- What stands of the same orders.
INSERT INTO competing_lines
SELECT held.*
FROM order_lines AS held
SEMI JOIN order_reports AS new ON held.store_id = new.store_id AND held.order_id = new.order_id
WHERE near_order_reports(held.occurred_at);

INSERT INTO order_reports BY NAME
SELECT * EXCLUDE (
    quantity, price, currency, revenue, is_counted, is_repeated, is_unconfirmed, counts_order, order_hash
)
FROM competing_lines;

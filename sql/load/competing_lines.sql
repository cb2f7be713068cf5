-- What stands of the same orders.
INSERT INTO competing_lines
SELECT held.*
FROM order_lines AS held
SEMI JOIN order_reports AS new ON held.store_id = new.store_id AND held.order_id = new.order_id
WHERE near_order_reports(held.occurred_at);

-- The new lines of orders, as reported. What comes after its order has gone makes none (T11).
INSERT INTO order_reports BY NAME FROM reported_lines('in_events');

DELETE FROM order_reports
WHERE order_key_of(store_id, order_id, event_key, occurred_at) IN (
    SELECT order_key FROM expired_orders
    WHERE order_key IN (
        SELECT order_key_of(store_id, order_id, event_key, occurred_at) FROM order_reports
    )
);

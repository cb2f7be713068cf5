-- What comes after its order has gone makes no line (T11).
DELETE FROM order_reports
WHERE order_key_of(store_id, order_id, event_key, occurred_at) IN (
    SELECT order_key FROM expired_orders
    WHERE order_key IN (
        SELECT order_key_of(store_id, order_id, event_key, occurred_at) FROM order_reports
    )
);

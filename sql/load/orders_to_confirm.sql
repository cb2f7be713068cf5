-- Orders with a report that is trusted, or that needs a trusted one (A11): of few stores.
INSERT INTO orders_to_confirm
SELECT DISTINCT store_id, order_id FROM order_reports WHERE is_trusted OR needs_confirmation;

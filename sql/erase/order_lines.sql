-- Their lines go. What is left of the same orders is settled again, for a line that repeated one of theirs
-- may count now (A9).
INSERT INTO competing_lines
FROM order_lines SEMI JOIN erased_devices USING (store_id, device_key);

INSERT INTO competing_lines
SELECT held.*
FROM order_lines AS held
SEMI JOIN competing_lines AS gone ON held.store_id = gone.store_id AND held.order_id = gone.order_id
ANTI JOIN erased_devices USING (store_id, device_key);

INSERT INTO order_reports BY NAME
SELECT * EXCLUDE (
    quantity, price, currency, revenue, is_counted, is_repeated, is_unconfirmed, counts_order, order_hash,
    device_key_hash
)
FROM competing_lines
ANTI JOIN erased_devices USING (store_id, device_key);

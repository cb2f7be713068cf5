-- As they were reported.
INSERT INTO order_reports BY NAME
SELECT * EXCLUDE (
    quantity, price, currency, revenue, is_counted, is_repeated, is_unconfirmed, counts_order, order_hash,
    device_key_hash
)
FROM competing_lines;

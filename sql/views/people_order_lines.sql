-- Grain: as in `order_lines`, lines of people's orders that count (A9, A11, P3).
SELECT * EXCLUDE (is_bot, is_refund, is_counted, is_repeated, is_unconfirmed)
FROM order_lines
WHERE NOT is_bot AND is_counted AND NOT is_refund;

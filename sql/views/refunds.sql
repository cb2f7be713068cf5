-- Grain: one row per line of a refund, and what it takes from the counted lines of its order (A8): from
-- those of `from_variant_id`, or, where a line names no variant, from all lines of the product.
-- `state`: counted; over (nothing is left to take); waiting (its order or line is unknown);
-- other_currency; unpriced (neither it nor its order names a price); repeated (A9); unconfirmed (A11).
WITH refund_days AS NOT MATERIALIZED (
    SELECT DISTINCT store_id, order_id, day
    FROM order_lines
    WHERE is_refund
)

-- A filter of the day reaches the tables by that of `refund_days`.
SELECT * EXCLUDE (wanted_day) REPLACE (wanted_day AS day)
FROM refunds_of('refund_days', 'order_lines')
WHERE day = wanted_day;

-- Grain: one row per refund line, conversion that it takes from, model and touch: what the refund
-- takes from each credit, on the refund's day (A8). Rounded cumulatively: a full refund in any
-- number of parts leaves exactly 0.
FROM refund_credits_of('refunds', 'order_lines');

-- Order lines, and which of them count (A8, A9, A11): only here do all devices meet. A line can change what
-- counts of the whole order, so all lines of the orders concerned are settled again; `old_lines` are those
-- that are now otherwise, `new_lines` what takes their place and what is new. All else is as reported.
INSERT INTO settled_lines BY NAME FROM settled_order_lines('order_reports');

INSERT INTO new_lines
FROM settled_lines AS settled
ANTI JOIN competing_lines AS held
    ON settled.event_key = held.event_key
    AND settled.occurred_at = held.occurred_at
    AND settled.line = held.line
    AND settled.quantity = held.quantity
    AND settled.price IS NOT DISTINCT FROM held.price
    AND settled.currency IS NOT DISTINCT FROM held.currency
    AND settled.is_counted = held.is_counted
    AND settled.is_unconfirmed = held.is_unconfirmed
    AND settled.counts_order = held.counts_order;

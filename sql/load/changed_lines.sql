-- What is new of the settled lines, or is now otherwise, takes the place of what stood. All else is as reported.
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

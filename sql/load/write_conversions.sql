-- Write conversions; of a purchase money and whether it counts are those of its order line (A9, A11).
UPDATE new_conversions SET
    quantity = settled.quantity,
    revenue = settled.revenue,
    currency = settled.currency,
    is_counted = settled.is_counted
FROM order_lines AS settled
WHERE new_conversions.conversion_type = 'purchase'
    AND new_conversions.event_key = settled.event_key
    AND new_conversions.occurred_at = settled.occurred_at
    AND new_conversions.line = settled.line
    AND settled.occurred_at >= (SELECT min(occurred_at) FROM new_conversions)
    AND settled.occurred_at <= (SELECT max(occurred_at) FROM new_conversions);

INSERT INTO old_conversions
SELECT held.* FROM conversion_facts AS held
SEMI JOIN new_conversions USING (conversion_key)
WHERE held.occurred_at >= (SELECT min(occurred_at) FROM new_conversions);

DELETE FROM conversion_facts
WHERE conversion_key IN (SELECT conversion_key FROM old_conversions)
    AND occurred_at >= (SELECT min(occurred_at) FROM old_conversions);
INSERT INTO conversion_facts FROM new_conversions;

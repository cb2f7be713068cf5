-- Write conversions in place of the old ones. Of a purchase money, and whether it counts, are those of its
-- order line (A9, A11): as they stand, or as this transaction has settled them.
INSERT INTO old_conversions
SELECT held.* FROM conversion_facts AS held
SEMI JOIN new_conversions USING (conversion_key)
WHERE near_new_conversions(held.occurred_at);

UPDATE new_conversions SET
    quantity = settled.quantity,
    revenue = settled.revenue,
    currency = settled.currency,
    is_counted = settled.is_counted
FROM (
    SELECT event_key, occurred_at, line, quantity, revenue, currency, is_counted
    FROM old_conversions
    ANTI JOIN new_lines USING (event_key, occurred_at, line)
    UNION ALL
    SELECT event_key, occurred_at, line, quantity, revenue, currency, is_counted
    FROM new_lines
) AS settled
WHERE new_conversions.conversion_type = 'purchase'
    AND new_conversions.event_key = settled.event_key
    AND new_conversions.occurred_at = settled.occurred_at
    AND new_conversions.line = settled.line;

DELETE FROM conversion_facts
WHERE near_new_conversions(occurred_at)
    AND conversion_key IN (SELECT conversion_key FROM old_conversions);
INSERT INTO conversion_facts FROM new_conversions;

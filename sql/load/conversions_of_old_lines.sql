-- Conversions whose order line now counts otherwise (A9, A11), and that nothing restates.
INSERT INTO new_conversions
SELECT held.*
FROM conversion_facts AS held
SEMI JOIN old_lines
    ON held.event_key = old_lines.event_key
    AND held.occurred_at = old_lines.occurred_at
    AND held.line = old_lines.line
ANTI JOIN new_conversions USING (conversion_key)
WHERE held.conversion_type = 'purchase' AND near_old_lines(held.occurred_at);

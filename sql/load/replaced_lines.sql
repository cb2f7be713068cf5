-- Lines that now count otherwise give way to those of `new_lines`.
DELETE FROM order_lines
WHERE near_old_lines(occurred_at)
    AND (event_key, occurred_at, line) IN (SELECT (event_key, occurred_at, line) FROM old_lines);

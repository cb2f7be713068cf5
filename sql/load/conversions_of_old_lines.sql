-- Conversions of order lines that counted until an earlier one arrived (A9).
INSERT INTO old_conversions
SELECT conversions.* FROM conversions
SEMI JOIN old_lines USING (event_key, occurred_at, line)
WHERE occurred_at >= (SELECT min(occurred_at) FROM old_lines);

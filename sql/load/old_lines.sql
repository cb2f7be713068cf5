-- What stood of the lines that now count otherwise.
INSERT INTO old_lines
FROM competing_lines
SEMI JOIN new_lines USING (event_key, occurred_at, line);

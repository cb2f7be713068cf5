-- Rejected events that came before the day `cut`, a variable of the connection, go. What could not be read at
-- all names no time: it goes with those that came after it.
DELETE FROM rejected_events
WHERE received_day < getvariable('cut')
    OR (
        received_day IS NULL
        AND rowid < (SELECT max(rowid) FROM rejected_events WHERE received_day < getvariable('cut'))
    );

-- Events of the database before `cut`, a variable of the connection, go; the ledger still counts them.
MERGE INTO dropped_rows AS held
USING (
    SELECT partition, count(*) AS events
    FROM hot_events
    WHERE occurred_at < getvariable('cut')
    GROUP BY partition
) AS gone ON held.partition = gone.partition
WHEN MATCHED THEN UPDATE SET events = held.events + gone.events
WHEN NOT MATCHED THEN INSERT (partition, events, duplicates) VALUES (gone.partition, gone.events, 0);

DELETE FROM hot_events WHERE occurred_at < getvariable('cut');

UPDATE retention SET events_from = getvariable('cut');

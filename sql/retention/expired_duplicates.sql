-- Duplicates that came before the day `cut`, a variable of the connection, go; the ledger still counts them.
MERGE INTO dropped_rows AS held
USING (
    SELECT partition, count(*) AS duplicates
    FROM duplicates
    WHERE received_day < getvariable('cut')
    GROUP BY partition
) AS gone ON held.partition = gone.partition
WHEN MATCHED THEN UPDATE SET duplicates = held.duplicates + gone.duplicates
WHEN NOT MATCHED THEN INSERT (partition, events, duplicates) VALUES (gone.partition, 0, gone.duplicates);

DELETE FROM duplicates WHERE received_day < getvariable('cut');

-- Where the loader goes on.
MERGE INTO positions USING in_positions AS new
    ON positions.topic = new.topic AND positions.partition = new.partition
WHEN MATCHED THEN UPDATE SET next_offset = new.next_offset
WHEN NOT MATCHED THEN INSERT;

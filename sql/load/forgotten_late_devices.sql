-- What reaches nothing any more: all that is to come is judged by a later stream time.
DELETE FROM late_devices
USING in_ledger
WHERE late_devices.partition = in_ledger.partition
    AND late_devices.reaches < in_ledger.stream_time - (SELECT lateness FROM rules);

-- What was rejected of them: `erased_rejected` names the rows.
DELETE FROM rejected_events WHERE rowid IN (SELECT id FROM erased_rejected);

-- What failed in the worker, and what ingest refused. After a kill ingest sends again what was not
-- acknowledged: an event that `rejected_events` holds is the same one, with the same `received_at`.
INSERT INTO rejected_events
SELECT in_rejected.* FROM in_rejected
ANTI JOIN (
    SELECT request_id, index FROM rejected_events
    WHERE received_at >= (SELECT min(received_at) FROM in_rejected WHERE request_id IS NOT NULL)
) AS held
    ON in_rejected.request_id = held.request_id
    AND in_rejected.index = held.index;

-- What failed, and what was refused at the door. Ingest sends again what it is not sure of after a kill:
-- an event that `rejected_events` holds is the same one. It has the same `received_at`.
-- If any: FROM in_rejected
INSERT INTO rejected_events
SELECT in_rejected.* FROM in_rejected
ANTI JOIN (
    SELECT request_id, index FROM rejected_events
    WHERE received_at >= (SELECT min(received_at) FROM in_rejected WHERE request_id IS NOT NULL)
) AS held
    ON in_rejected.request_id = held.request_id
    AND in_rejected.index = held.index;

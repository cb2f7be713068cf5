-- Late events. One that `events` already holds at the same time is a duplicate (D4): the stream has
-- forgotten its key, the warehouse has not.
INSERT INTO late_candidates
SELECT late.* EXCLUDE (first_fingerprint, nth), coalesce(
    held.fingerprint, CASE WHEN nth > 1 THEN first_fingerprint END
) AS known
FROM (
    SELECT
        *,
        row_number() OVER in_log_order AS nth,
        first_value(fingerprint) OVER in_log_order AS first_fingerprint
    FROM in_events
    WHERE is_late
    WINDOW in_log_order AS (
        PARTITION BY event_key, occurred_at ORDER BY partition, "offset", place
    )
) AS late
LEFT JOIN events AS held
    ON late.event_key = held.event_key
    AND late.occurred_at = held.occurred_at
    AND held.occurred_at >= (SELECT min(occurred_at) FROM in_events WHERE is_late);

INSERT INTO fresh SELECT * EXCLUDE (place, known) FROM late_candidates WHERE known IS NULL;
INSERT INTO events SELECT * EXCLUDE (place, known) FROM late_candidates WHERE known IS NULL;

INSERT INTO duplicates
SELECT
    store_id, event_key,
    CASE WHEN known = fingerprint THEN 'exact' ELSE 'conflict' END,
    received_at, partition, "offset"
FROM late_candidates
WHERE known IS NOT NULL;

-- Late events. The stream has forgotten their keys, the warehouse has not (D4): one that `events` holds at
-- the same time is a duplicate, and so is one with the same content within 26 hours, for a clock that runs
-- ahead moves an event by that at most (T3). Of those that arrive together the first in the log counts.
INSERT INTO late_candidates
WITH held AS (
    SELECT
        event_key,
        list({'at': occurred_at, 'fingerprint': fingerprint, 'place': -1}) AS known
    FROM (
        SELECT event_key, occurred_at, fingerprint FROM events WHERE near_late_events(occurred_at)
        UNION ALL
        SELECT event_key, occurred_at, fingerprint FROM in_events WHERE NOT is_late
    )
    WHERE event_key IN (SELECT event_key FROM in_events WHERE is_late)
    GROUP BY event_key
),

arrived AS (
    SELECT
        event_key,
        list(
            [{'at': occurred_at, 'fingerprint': fingerprint, 'place': place}]
            ORDER BY partition, "offset", place
        ) AS each
    FROM in_events
    WHERE is_late
    GROUP BY event_key
),

-- What is held, and of what arrived each row that repeats none of it and none before it.
kept AS (
    SELECT
        event_key,
        list_reduce(
            list_prepend(coalesce(held.known, []), arrived.each),
            lambda known, row: CASE
                WHEN len(list_filter(known, lambda other: is_same_event(
                    other.at, other.fingerprint, row[1].at, row[1].fingerprint
                ))) = 0 THEN known || row
                ELSE known
            END
        ) AS known
    FROM arrived
    LEFT JOIN held USING (event_key)
)

SELECT
    late.*,
    CASE
        WHEN len(list_filter(known, lambda other: other.place = late.place)) = 1 THEN NULL
        WHEN len(list_filter(known, lambda other:
            other.fingerprint = late.fingerprint
            AND is_same_event(other.at, other.fingerprint, late.occurred_at, late.fingerprint)
        )) > 0 THEN 'exact'
        ELSE 'conflict'
    END AS repeats
FROM in_events AS late
JOIN kept USING (event_key)
WHERE is_late;

INSERT INTO duplicates BY NAME
SELECT
    store_id, event_key, repeats AS kind, received_at, partition, "offset", received_day
FROM late_candidates
WHERE repeats IS NOT NULL;

-- What is left is new.
DELETE FROM in_events
WHERE place IN (SELECT place FROM late_candidates WHERE repeats IS NOT NULL);

-- What counts as a duplicate is no event of the ledger.
UPDATE in_ledger SET
    events = in_ledger.events - repeats.count,
    duplicates = in_ledger.duplicates + repeats.count
FROM (
    SELECT partition, count(*) AS count
    FROM late_candidates
    WHERE repeats IS NOT NULL
    GROUP BY ALL
) AS repeats
WHERE in_ledger.partition = repeats.partition;

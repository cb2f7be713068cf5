-- Where `events_from` moves next, as the variable `cut`; NULL where it stays. At most the term before the least
-- stream time of all partitions, and so far before `derived_from` that what is kept follows from events: touches
-- for a lookback, neighbours for a gap, and for 26 hours copies of a late event (D4). The variable `term` is given.
SET VARIABLE cut = (
    SELECT least(target, coalesce(date_trunc('day', least(hot, archived)) + INTERVAL 1 DAY, target))
    FROM (
        SELECT
            events_from,
            CAST(date_trunc('day', least(
                (SELECT min(stream_time) FROM ledger) - getvariable('term'),
                derived_from - greatest(gap, lookback, INTERVAL 26 HOURS)
            )) AS TIMESTAMP) AS target,
            (
                SELECT min(occurred_at) FROM hot_events
                WHERE coalesce(occurred_at >= (SELECT events_from FROM retention), true)
            ) AS hot,
            (
                SELECT min(last_at) FROM archive_files
                WHERE coalesce(last_at >= (SELECT events_from FROM retention), true)
            ) AS archived
        FROM retention CROSS JOIN rules
    )
    WHERE coalesce(target > events_from, true)
);

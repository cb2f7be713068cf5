-- Where `derived_from` moves next, as the variable `cut`; NULL where it stays. A midnight UTC: at most the term
-- before the least stream time of all partitions, and one day of sessions further than now. The variables
-- `term` and `partitions` are given. A partition without a stream time may still bring an event of any time.
SET VARIABLE cut = (
    SELECT least(target, coalesce(date_trunc('day', earliest) + INTERVAL 1 DAY, target))
    FROM (
        SELECT CAST(date_trunc('day', min(stream_time) - getvariable('term')) AS TIMESTAMP) AS target
        FROM ledger
        HAVING count(stream_time) >= getvariable('partitions')
    )
    LEFT JOIN retention ON true
    CROSS JOIN (
        SELECT min(started_at) AS earliest
        FROM sessions
        WHERE coalesce(started_at >= (SELECT derived_from FROM retention), true)
    )
    WHERE coalesce(target > derived_from, true)
);

-- How far the sums by day reach, as the variable `summed_last`, and where to they reach next, as `summed_next`: NULL
-- where they stay. What ended less than `quiet` before it could be closed may soon have a late event. At most `most`
-- sessions at a time. Both variables are given.
SET VARIABLE summed_last = (SELECT coalesce(max(until), TIMESTAMP '-infinity') FROM summed_until);
SET VARIABLE summed_next = (
    SELECT max(ended_at)
    FROM (
        SELECT ended_at
        FROM sessions
        WHERE ended_at > getvariable('summed_last')
            AND ended_at <= (
                SELECT max(stream_time) - (SELECT gap FROM rules) - getvariable('quiet') FROM ledger
            )
        ORDER BY ended_at
        LIMIT getvariable('most')
    )
);

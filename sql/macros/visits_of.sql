-- Grain: one row per session of which something may be of $first_day to $last_day. Without `of_all` only those whose
-- blended counts and searches are not in `summed_blended` and `summed_searches`: what follows from them is still read
-- from events.
CREATE OR REPLACE MACRO visits_of(first_day, last_day, of_all) AS TABLE
SELECT store_id, device_key, session_id, session_key, started_at, ended_at, is_bot, searches
FROM (
    FROM sessions WHERE of_all
    UNION ALL
    FROM sessions WHERE NOT of_all AND ended_at > (SELECT coalesce(max(until), '-infinity') FROM summed_until)
    UNION ALL
    FROM sessions
    SEMI JOIN unsummed_sessions AS late
        ON sessions.session_key = late.session_key AND sessions.started_at = late.started_at
    WHERE NOT of_all AND sessions.started_at >= (SELECT min(started_at) FROM unsummed_sessions)
)
-- Days are the store's, times UTC: a zone is up to 14 hours ahead or 12 behind.
WHERE ended_at >= first_day - INTERVAL 14 HOURS AND started_at < last_day + INTERVAL 36 HOURS;

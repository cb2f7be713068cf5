-- Closed sessions that ended since. One that is open, for its partition is behind, waits.
INSERT INTO summed_sessions
FROM sessions
WHERE ended_at > getvariable('summed_last') AND ended_at <= getvariable('summed_next') AND NOT is_open;

INSERT INTO unsummed_sessions
SELECT session_key, started_at
FROM sessions
WHERE ended_at > getvariable('summed_last') AND ended_at <= getvariable('summed_next') AND is_open;

DELETE FROM summed_until WHERE getvariable('summed_next') IS NOT NULL;
INSERT INTO summed_until SELECT getvariable('summed_next') WHERE getvariable('summed_next') IS NOT NULL;

-- Sessions of merged devices: what their events are by themselves, together with the sessions within a gap
-- of them (S3).
INSERT INTO reached_sessions
SELECT held.* FROM (FROM sessions WHERE overlaps_added_sessions(started_at, ended_at)) AS held
SEMI JOIN added_sessions AS added
    ON held.store_id = added.store_id
    AND held.device_key = added.device_key
    AND held.session_id = added.session_id
    AND held.started_at <= added.ended_at + (SELECT gap FROM rules)
    AND held.ended_at >= added.started_at - (SELECT gap FROM rules);

INSERT INTO added_sessions FROM reached_sessions;
INSERT INTO new_sessions BY NAME
SELECT *, false AS has_converted, 0 AS orders, true AS is_open FROM merge_sessions('added_sessions');
INSERT INTO old_sessions FROM reached_sessions;

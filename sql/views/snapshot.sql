-- Grain: one row: how far this snapshot reaches, and by which rules and version it was made. `complete_until` is the
-- stream time of the partition that is furthest behind; what is older than the lateness before it is settled (T7).
SELECT
    (SELECT min(published_at) FROM publication) AS published_at,
    max(stream_time) AS stream_time,
    min(stream_time) AS complete_until,
    min(stream_time) - (SELECT lateness FROM rules) AS settled_until,
    (SELECT count(*) FROM late_devices) AS late_devices,
    (SELECT digest FROM rules) AS rules_digest,
    (SELECT warehouse_digest FROM rules) AS warehouse_digest,
    (SELECT min(version) FROM publication) AS version
FROM ledger;

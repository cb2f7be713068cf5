-- Sessions and conversions of one bucket of devices (S1-S7, A1-A6), with what counts of their orders (A9).
CREATE OR REPLACE TEMP TABLE bucket_sessions AS
FROM recompute_sessions('bucket_events') WHERE is_kept_session(ended_at);

INSERT INTO rebuilt_sessions BY NAME
SELECT
    bucket_sessions.*,
    bought.orders IS NOT NULL AS has_converted,
    coalesce(bought.orders, 0) AS orders,
    ledger.stream_time <= ended_at + (SELECT gap FROM rules) AS is_open
FROM bucket_sessions
JOIN ledger USING (partition)
LEFT JOIN recompute_session_orders('bucket_sessions', 'bucket_lines') AS bought USING (session_key);

INSERT INTO rebuilt_session_revenue BY NAME
FROM recompute_session_revenue('bucket_sessions', 'bucket_lines');

INSERT INTO rebuilt_conversion_facts BY NAME
FROM recompute_conversion_facts('bucket_events', 'bucket_lines');

INSERT INTO rebuilt_conversion_touches BY NAME
FROM recompute_conversion_touches('bucket_events') SEMI JOIN rebuilt_conversion_facts USING (conversion_key)
WHERE has_events_of_conversion(occurred_at);

INSERT INTO rebuilt_touches BY NAME
FROM recompute_touches('bucket_events') WHERE is_kept_touch(touched_at);

INSERT INTO rebuilt_late_devices BY NAME FROM recompute_late_devices('bucket_events', 'bucket_sessions');

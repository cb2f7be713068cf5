-- What is worked on at a time: the orders or devices of one bucket, so that memory is bounded by a bucket
-- and not by history. `buckets` and `bucket` are variables of the connection.
CREATE TEMP VIEW bucket_events AS
FROM events
WHERE hash(store_id, device_key) % getvariable('buckets') = getvariable('bucket');

CREATE TEMP VIEW bucket_lines AS
FROM order_lines
WHERE hash(store_id, device_key) % getvariable('buckets') = getvariable('bucket');

-- All lines of an order are in one bucket (A9); an event that names no order stands for itself.
CREATE TEMP VIEW bucket_reports AS
FROM reported_order_lines
WHERE hash(store_id, coalesce(order_id, CAST(event_key AS VARCHAR))) % getvariable('buckets')
    = getvariable('bucket');

-- The rows of all buckets, until they are written in the order of time that the loader's bounds need.
CREATE TEMP TABLE rebuilt_order_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE rebuilt_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE rebuilt_session_revenue AS FROM session_revenue WITH NO DATA;
CREATE TEMP TABLE rebuilt_conversion_facts AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE rebuilt_conversion_touches AS FROM conversion_touches WITH NO DATA;
CREATE TEMP TABLE rebuilt_touches AS FROM touches WITH NO DATA;
CREATE TEMP TABLE rebuilt_late_devices AS FROM late_devices WITH NO DATA;

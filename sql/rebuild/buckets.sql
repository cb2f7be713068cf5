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

-- What was made of events that have gone stays as it was (T11): orders with a report of before, and the
-- conversions whose touches were, but for those of orders that have gone.
INSERT INTO order_lines BY NAME
FROM old.order_lines
WHERE order_key_of(store_id, order_id, event_key, occurred_at) IN (
    SELECT order_key_of(store_id, order_id, event_key, occurred_at)
    FROM old.order_lines
    WHERE NOT has_events(occurred_at)
);

INSERT INTO rebuilt_conversion_facts BY NAME
FROM old.conversion_facts
WHERE NOT has_events_of_conversion(occurred_at);

INSERT INTO rebuilt_conversion_touches BY NAME
FROM old.conversion_touches
WHERE NOT has_events_of_conversion(occurred_at);

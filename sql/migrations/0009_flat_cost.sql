-- What lets a transaction find and change rows without reading history.

-- Of what a session takes from an event, where that event stands in T5 order; NULL where it is the first
-- event. So a session can grow from its row alone.
ALTER TABLE sessions ADD COLUMN first_event_key UUID;
ALTER TABLE sessions ADD COLUMN marketing_event STRUCT(occurred_at TIMESTAMP, rank UTINYINT, event_key UUID);
ALTER TABLE sessions ADD COLUMN landing_token_event STRUCT(occurred_at TIMESTAMP, rank UTINYINT, event_key UUID);
ALTER TABLE sessions ADD COLUMN landing_product_event STRUCT(occurred_at TIMESTAMP, rank UTINYINT, event_key UUID);
-- It holds an event that the stream does not know (T7).
ALTER TABLE sessions ADD COLUMN has_late BOOLEAN;

-- How many lines the sum is of: without one there is no row.
ALTER TABLE session_revenue ADD COLUMN lines BIGINT;

-- NULL where the event names no order.
ALTER TABLE order_lines ADD COLUMN order_hash UBIGINT;

-- One row per touch (A1): few of all events, and what a conversion's path is made of.
CREATE TABLE touches (
    store_id          VARCHAR NOT NULL,
    device_key        VARCHAR NOT NULL,
    touched_at        TIMESTAMP NOT NULL,
    event_key         UUID NOT NULL,
    attribution_token VARCHAR NOT NULL,
    product_id        BIGINT
);

-- One row per device with a late event that can still reach rows: until when, in stream time less lateness.
CREATE TABLE late_devices (
    store_id   VARCHAR NOT NULL,
    device_key VARCHAR NOT NULL,
    partition  INTEGER NOT NULL,
    reaches    TIMESTAMP NOT NULL
);

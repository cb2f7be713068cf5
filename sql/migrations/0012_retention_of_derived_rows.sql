-- What must be known of rows that have gone with what they were made of (T11, decision 0034).

-- One row once any have gone: sessions, orders, conversions and touches follow from `events` from here on.
CREATE TABLE retention (
    derived_from TIMESTAMP
);

-- Events that came when their time had gone: they are in no other table.
ALTER TABLE ledger ADD COLUMN expired BIGINT DEFAULT 0;

-- Grain: store, day of arrival.
CREATE TABLE daily_expired (
    store_id VARCHAR NOT NULL,
    day      DATE NOT NULL,
    events   BIGINT NOT NULL
);

-- One row per order whose lines have gone: a report that comes later makes no line and no conversion.
CREATE TABLE expired_orders (
    order_key UUID NOT NULL
);

-- The rules behind aggregates whose rows have gone: of the days before `until`, but for those before the `until`
-- of an earlier row.
CREATE TABLE aggregate_rules (
    until            DATE NOT NULL,
    digest           VARCHAR NOT NULL,
    warehouse_digest VARCHAR NOT NULL,
    gap              INTERVAL NOT NULL,
    lookback         INTERVAL NOT NULL
);

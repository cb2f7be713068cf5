-- What stores really send: servers, prefetches, orders that several report, days of the store.

-- One row per store, taken when its first record comes: the zone of its days (T10), and a digest of what
-- DuckDB knew of that zone, for other zone data would give other days.
CREATE TABLE stores (
    store_id    VARCHAR NOT NULL,
    timezone    VARCHAR NOT NULL,
    zone_digest VARCHAR NOT NULL
);

-- The first 16 bytes tell contents apart as well as all 32.
ALTER TABLE events ALTER COLUMN fingerprint TYPE UUID USING CAST(substr(fingerprint, 1, 32) AS UUID);

ALTER TABLE rules ADD COLUMN warehouse_digest VARCHAR;

-- What no other column holds, as JSON; until now the whole text that the store sent.
ALTER TABLE events RENAME COLUMN raw TO extra;
ALTER TABLE events ALTER COLUMN extra DROP NOT NULL;
-- Fields that were read or dropped on arrival, each as "field: how".
ALTER TABLE events ADD COLUMN repairs VARCHAR[];
ALTER TABLE events ADD COLUMN search_term VARCHAR;
ALTER TABLE events ADD COLUMN is_server BOOLEAN;
ALTER TABLE events ADD COLUMN is_prefetch BOOLEAN;
ALTER TABLE events ADD COLUMN is_trusted BOOLEAN;
ALTER TABLE events ADD COLUMN needs_confirmation BOOLEAN;
-- Of the store (T10): day and hour of `occurred_at`, day of `received_at`.
ALTER TABLE events ADD COLUMN day DATE;
ALTER TABLE events ADD COLUMN hour UTINYINT;
ALTER TABLE events ADD COLUMN received_day DATE;
ALTER TABLE duplicates ADD COLUMN received_day DATE;
ALTER TABLE rejected_events ADD COLUMN received_day DATE;

-- `quantity`, `price`, `currency` and `revenue` are what counts, `reported_…` what the event said (A11).
ALTER TABLE order_lines ADD COLUMN day DATE;
ALTER TABLE order_lines ADD COLUMN reported_quantity BIGINT;
ALTER TABLE order_lines ADD COLUMN reported_price DECIMAL(18, 4);
ALTER TABLE order_lines ADD COLUMN reported_currency VARCHAR;
ALTER TABLE order_lines ADD COLUMN is_server BOOLEAN;
ALTER TABLE order_lines ADD COLUMN is_trusted BOOLEAN;
ALTER TABLE order_lines ADD COLUMN needs_confirmation BOOLEAN;
-- Neither repeated nor unconfirmed.
ALTER TABLE order_lines ADD COLUMN is_counted BOOLEAN;
ALTER TABLE order_lines ADD COLUMN is_unconfirmed BOOLEAN;
ALTER TABLE order_lines ADD COLUMN counts_order BOOLEAN;

ALTER TABLE sessions ADD COLUMN day DATE;
ALTER TABLE sessions ADD COLUMN device_type VARCHAR;
ALTER TABLE sessions ADD COLUMN browser VARCHAR;
ALTER TABLE sessions ADD COLUMN country VARCHAR;
ALTER TABLE sessions ADD COLUMN landing_token VARCHAR;
ALTER TABLE sessions ADD COLUMN landing_product_id BIGINT;
ALTER TABLE sessions ADD COLUMN is_report BOOLEAN;

-- All lines of all purchases have a row, for the better report of an order may still come (A9); the
-- view `conversions` shows those that count.
ALTER TABLE conversions RENAME TO conversion_facts;
ALTER TABLE conversion_facts ADD COLUMN day DATE;
ALTER TABLE conversion_facts ADD COLUMN is_counted BOOLEAN;

ALTER TABLE daily_traffic ADD COLUMN is_prefetch BOOLEAN;
ALTER TABLE daily_sessions ADD COLUMN is_report BOOLEAN;

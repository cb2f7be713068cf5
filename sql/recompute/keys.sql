-- The hashes that other recompute files share (S4, D4). Scalar macros.
CREATE OR REPLACE TEMP MACRO key_of(content) AS CAST(substr(sha256(content), 1, 32) AS UUID);

CREATE OR REPLACE TEMP MACRO netstring(content) AS strlen(content) || ':' || content;

-- Of two events with one key (D4).
CREATE OR REPLACE TEMP MACRO is_same_event(one_at, fingerprint, other_at, other_fingerprint) AS
    one_at = other_at
    OR (
        fingerprint = other_fingerprint
        AND abs(epoch_ms(one_at) - epoch_ms(other_at)) <= 26 * 60 * 60 * 1000
    );

CREATE OR REPLACE TEMP MACRO session_key_of(store_id, device_key, session_id, started_at) AS
    key_of(netstring(store_id) || netstring(device_key) || netstring(session_id) || epoch_ms(started_at));

CREATE OR REPLACE TEMP MACRO conversion_key_of(event_key, occurred_at, line) AS
    key_of(replace(CAST(event_key AS VARCHAR), '-', '') || '/' || epoch_ms(occurred_at) || '/' || line);

-- Where an event stands in T5 order: compared by its fields.
CREATE OR REPLACE TEMP MACRO place_of(occurred_at, event_type, event_key) AS {
    'occurred_at': occurred_at, 'rank': CAST(event_rank(event_type) AS UTINYINT), 'event_key': event_key
};

-- By this an order's lines are found without comparing text.
CREATE OR REPLACE TEMP MACRO order_hash_of(store_id, order_id) AS md5_number_lower(store_id || '/' || order_id);

-- By this a device's rows are found without comparing text.
CREATE OR REPLACE TEMP MACRO device_key_hash_of(store_id, device_key) AS md5_number_lower(store_id || '/' || device_key);

-- Rule A1, of what was not prefetched (P2).
CREATE OR REPLACE TEMP MACRO is_touch(event_type, attribution_token, is_prefetch) AS
    event_type = 'product_click' AND attribution_token IS NOT NULL AND NOT is_prefetch;

-- A place, NULL where it is that of the first event. (In DuckDB 2.0 `nullif` of two structs can fail.)
CREATE OR REPLACE TEMP MACRO later_than(place, first_place) AS CASE WHEN place > first_place THEN place END;

-- The hashes and orders that other recompute files share (S4, D4, T5). Scalar macros.
CREATE OR REPLACE TEMP MACRO key_of(content) AS CAST(substr(sha256(content), 1, 32) AS UUID);

CREATE OR REPLACE TEMP MACRO netstring(content) AS strlen(content) || ':' || content;

CREATE OR REPLACE TEMP MACRO session_key_of(store_id, device_key, session_id, started_at) AS
    key_of(netstring(store_id) || netstring(device_key) || netstring(session_id) || epoch_ms(started_at));

CREATE OR REPLACE TEMP MACRO conversion_key_of(event_key, occurred_at, line) AS
    key_of(replace(CAST(event_key AS VARCHAR), '-', '') || '/' || epoch_ms(occurred_at) || '/' || line);

CREATE OR REPLACE TEMP MACRO event_rank(event_type) AS
    CASE event_type
        WHEN 'search' THEN 0
        WHEN 'autocomplete' THEN 0
        WHEN 'collection_view' THEN 0
        WHEN 'block_view' THEN 1
        WHEN 'product_impression' THEN 1
        WHEN 'product_hover' THEN 2
        WHEN 'product_touch' THEN 2
        WHEN 'product_click' THEN 3
        WHEN 'product_view' THEN 4
        WHEN 'add_to_cart' THEN 5
        WHEN 'purchase' THEN 6
        WHEN 'refund' THEN 7
    END;

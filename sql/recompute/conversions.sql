-- Grain: one row per conversion in `source`, a relation shaped like `events`, and touch on its
-- path; one row with NULLs for a conversion without touches (A1-A6). Repeated order lines (A9)
-- are still in: one device's events cannot tell them.
CREATE OR REPLACE TEMP MACRO recompute_paths(source) AS TABLE
WITH clicks AS (
    SELECT
        store_id,
        device_key,
        occurred_at AS touched_at,
        attribution_token AS touch_token,
        product_id AS touch_product_id,
        event_key AS touch_event_key
    FROM query_table(source)
    WHERE event_type = 'product_click' AND attribution_token IS NOT NULL
),

carts AS (
    SELECT
        store_id, event_key, 0 AS line, 'add_to_cart' AS conversion_type, occurred_at, device_key,
        session_id, product_id, variant_id, quantity, NULL AS revenue, NULL AS currency,
        attribution_token, is_bot
    FROM query_table(source)
    WHERE event_type = 'add_to_cart'
),

purchases AS (
    SELECT
        store_id, event_key, line, 'purchase' AS conversion_type, occurred_at, device_key,
        session_id, product_id, variant_id, quantity, revenue, currency,
        attribution_token, is_bot
    FROM recompute_order_lines(source)
    WHERE NOT is_refund
),

converted AS (
    SELECT *, conversion_key_of(event_key, occurred_at, line) AS conversion_key
    FROM (FROM carts UNION ALL FROM purchases)
),

-- Two joins by equality; one with an OR would compare every pair.
carrying AS (
    SELECT
        converted.*,
        'direct' AS match,
        clicks.* EXCLUDE (store_id, device_key),
        bool_or(touch_product_id = product_id) OVER (PARTITION BY conversion_key) AS on_product
    FROM converted
    JOIN clicks
        ON converted.store_id = clicks.store_id
        AND converted.device_key = clicks.device_key
        AND converted.attribution_token = clicks.touch_token
        AND touched_at <= occurred_at
        AND touched_at >= occurred_at - (SELECT lookback FROM rules)
),

remembered AS (
    SELECT converted.*, 'carried' AS match, clicks.* EXCLUDE (store_id, device_key)
    FROM converted
    JOIN clicks
        ON converted.store_id = clicks.store_id
        AND converted.device_key = clicks.device_key
        AND converted.product_id = clicks.touch_product_id
        AND touched_at <= occurred_at
        AND touched_at >= occurred_at - (SELECT lookback FROM rules)
    WHERE attribution_token IS NULL
),

claimed AS (
    SELECT * EXCLUDE (on_product) FROM carrying
    WHERE touch_product_id = product_id OR NOT on_product
    UNION ALL
    SELECT * FROM remembered
),

-- A5: one touch per token and product, at the last time it was clicked.
latest AS (
    SELECT * FROM claimed
    QUALIFY row_number() OVER (
        PARTITION BY conversion_key, touch_token, touch_product_id
        ORDER BY touched_at DESC, touch_event_key DESC
    ) = 1
)

SELECT
    *,
    row_number() OVER (
        PARTITION BY conversion_key ORDER BY touched_at, touch_event_key
    ) AS position,
    count(*) OVER (PARTITION BY conversion_key) AS touches
FROM latest
UNION ALL BY NAME
SELECT
    converted.*,
    CASE WHEN attribution_token IS NULL THEN 'none' ELSE 'orphan' END AS match,
    0 AS touches
FROM converted
ANTI JOIN latest USING (conversion_key);

-- Grain: one row per conversion.
CREATE OR REPLACE TEMP MACRO recompute_conversions(source) AS TABLE
SELECT
    store_id, conversion_key, event_key, CAST(line AS INTEGER) AS line, conversion_type,
    occurred_at, device_key, session_id, product_id, variant_id, quantity,
    CAST(revenue AS DECIMAL(18, 4)) AS revenue, currency, match, attribution_token,
    touch_token AS last_touch_token, touches, is_bot
FROM recompute_paths(source)
WHERE coalesce(position, 0) = touches;

-- Grain: one row per touch on a conversion's path.
CREATE OR REPLACE TEMP MACRO recompute_conversion_touches(source) AS TABLE
SELECT
    store_id, conversion_key, occurred_at, position, touches, touched_at,
    touch_token AS attribution_token, touch_product_id AS product_id, touch_event_key
FROM recompute_paths(source)
WHERE touches > 0;

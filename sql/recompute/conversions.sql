-- Grain: one row per conversion in `source`, a relation shaped like `events`, with its path, newest
-- touch first; NULL for a conversion without touches (A1-A6). A purchase's money is as reported, and
-- lines that repeat another are in: one device's events cannot tell them (A9, A11).
CREATE OR REPLACE TEMP MACRO recompute_paths(source) AS TABLE
WITH clicks AS (
    SELECT
        store_id,
        device_key,
        occurred_at AS touched_at,
        attribution_token AS touch_token,
        product_id AS touch_product_id,
        -- In the order of its fields, which is that of touches.
        {
            'touched_at': occurred_at, 'event_key': event_key,
            'attribution_token': attribution_token, 'product_id': product_id
        } AS touch,
        lead(occurred_at) OVER (
            PARTITION BY store_id, device_key, attribution_token, product_id
            ORDER BY occurred_at, event_key
        ) AS clicked_again_at
    FROM query_table(source)
    WHERE event_type = 'product_click' AND attribution_token IS NOT NULL AND NOT is_prefetch
),

carts AS (
    SELECT
        store_id, event_key, 0 AS line, 'add_to_cart' AS conversion_type, occurred_at, day,
        device_key, session_id, product_id, variant_id, quantity, NULL AS revenue, NULL AS currency,
        attribution_token, is_bot
    FROM query_table(source)
    WHERE event_type = 'add_to_cart' AND NOT is_prefetch
),

purchases AS (
    SELECT
        store_id, event_key, line, 'purchase' AS conversion_type, occurred_at, day,
        device_key, session_id, product_id, variant_id, reported_quantity AS quantity,
        CAST(reported_price * reported_quantity AS DECIMAL(18, 4)) AS revenue,
        reported_currency AS currency, attribution_token, is_bot
    FROM reported_lines(source)
    WHERE NOT is_refund
),

converted AS (
    SELECT *, conversion_key_of(event_key, occurred_at, line) AS conversion_key
    FROM (FROM carts UNION ALL FROM purchases)
),

-- A5: of a token and product only the last click before a conversion, and of those the latest.
-- `max(…, n)` holds no more than n: a join that kept each pair would take all memory for a device
-- with thousands of clicks and of conversions. Two joins by equality; one with an OR would compare
-- every pair.
carrying AS (
    SELECT
        conversion_key,
        'direct' AS match,
        coalesce(
            max(touch, (SELECT most_touches FROM rules))
                FILTER (WHERE touch_product_id = product_id),
            max(touch, (SELECT most_touches FROM rules))
        ) AS path
    FROM converted
    JOIN clicks
        ON converted.store_id = clicks.store_id
        AND converted.device_key = clicks.device_key
        AND converted.attribution_token = clicks.touch_token
        AND touched_at <= occurred_at
        AND touched_at >= occurred_at - (SELECT lookback FROM rules)
        AND coalesce(clicked_again_at > occurred_at, true)
    GROUP BY conversion_key
),

remembered AS (
    SELECT
        conversion_key,
        'carried' AS match,
        max(touch, (SELECT most_touches FROM rules)) AS path
    FROM converted
    JOIN clicks
        ON converted.store_id = clicks.store_id
        AND converted.device_key = clicks.device_key
        AND converted.product_id = clicks.touch_product_id
        AND touched_at <= occurred_at
        AND touched_at >= occurred_at - (SELECT lookback FROM rules)
        AND coalesce(clicked_again_at > occurred_at, true)
    WHERE attribution_token IS NULL
    GROUP BY conversion_key
)

SELECT
    converted.*,
    coalesce(match, CASE WHEN attribution_token IS NULL THEN 'none' ELSE 'orphan' END) AS match,
    path,
    coalesce(len(path), 0) AS touches
FROM converted
LEFT JOIN (FROM carrying UNION ALL FROM remembered) USING (conversion_key);

-- Grain: one row per conversion.
CREATE OR REPLACE TEMP MACRO recompute_conversions(source) AS TABLE
SELECT
    store_id, conversion_key, event_key, CAST(line AS INTEGER) AS line, conversion_type,
    occurred_at, day, device_key, session_id, product_id, variant_id, quantity,
    CAST(revenue AS DECIMAL(18, 4)) AS revenue, currency, match, attribution_token,
    path[1].attribution_token AS last_touch_token, touches, is_bot, true AS is_counted
FROM recompute_paths(source);

-- The same with what counts of a purchase, and at whose price (A9, A11), by the lines in `line_rows`.
CREATE OR REPLACE TEMP MACRO recompute_conversion_facts(source, line_rows) AS TABLE
SELECT c.* REPLACE (
    CASE WHEN l.event_key IS NULL THEN c.quantity ELSE l.quantity END AS quantity,
    CASE WHEN l.event_key IS NULL THEN c.revenue ELSE l.revenue END AS revenue,
    CASE WHEN l.event_key IS NULL THEN c.currency ELSE l.currency END AS currency,
    coalesce(l.is_counted, true) AS is_counted
)
FROM recompute_conversions(source) AS c
LEFT JOIN query_table(line_rows) AS l
    ON c.conversion_type = 'purchase'
    AND c.event_key = l.event_key
    AND c.occurred_at = l.occurred_at
    AND c.line = l.line;

-- Grain: one row per touch on a conversion's path.
CREATE OR REPLACE TEMP MACRO recompute_conversion_touches(source) AS TABLE
SELECT
    store_id, conversion_key, occurred_at, touches - nth + 1 AS position, touches,
    touch.touched_at, touch.attribution_token, touch.product_id, touch.event_key AS touch_event_key
FROM (
    SELECT
        store_id, conversion_key, occurred_at, touches,
        unnest(path) AS touch, generate_subscripts(path, 1) AS nth
    FROM recompute_paths(source)
);

-- Grain: one row per touch in `source`, a relation shaped like `events` (A1).
CREATE OR REPLACE TEMP MACRO recompute_touches(source) AS TABLE
SELECT store_id, device_key, occurred_at AS touched_at, event_key, attribution_token, product_id
FROM query_table(source)
WHERE is_touch(event_type, attribution_token, is_prefetch);

-- Grain: one row per conversion in `source`, a relation shaped like `events` (A2). A purchase's money is as
-- reported, and lines that repeat another are in: one device's events cannot tell them (A9, A11).
CREATE OR REPLACE TEMP MACRO conversions_in(source) AS TABLE
WITH carts AS (
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
)

SELECT
    store_id, conversion_key_of(event_key, occurred_at, line) AS conversion_key, event_key,
    CAST(line AS INTEGER) AS line, conversion_type, occurred_at, day, device_key, session_id,
    product_id, variant_id, quantity, CAST(revenue AS DECIMAL(18, 4)) AS revenue, currency,
    attribution_token, is_bot
FROM (FROM carts UNION ALL FROM purchases);

-- Grain: one row per conversion in `converted`, rows shaped like `conversions_in`, with its match and its path
-- among `touched`, rows shaped like `recompute_touches`: newest touch first, NULL where there is none (A3-A6).
-- `touched` may lack what no conversion's lookback holds.
CREATE OR REPLACE TEMP MACRO paths_of(converted, touched) AS TABLE
WITH clicks AS (
    SELECT
        store_id,
        device_key,
        touched_at,
        attribution_token AS touch_token,
        product_id AS touch_product_id,
        -- In the order of its fields, which is that of touches.
        {
            'touched_at': touched_at, 'event_key': event_key,
            'attribution_token': attribution_token, 'product_id': product_id
        } AS touch,
        lead(touched_at) OVER (
            PARTITION BY store_id, device_key, attribution_token, product_id
            ORDER BY touched_at, event_key
        ) AS clicked_again_at
    FROM query_table(touched)
),

conversions AS (FROM query_table(converted)),

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
    FROM conversions
    JOIN clicks
        ON conversions.store_id = clicks.store_id
        AND conversions.device_key = clicks.device_key
        AND conversions.attribution_token = clicks.touch_token
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
    FROM conversions
    JOIN clicks
        ON conversions.store_id = clicks.store_id
        AND conversions.device_key = clicks.device_key
        AND conversions.product_id = clicks.touch_product_id
        AND touched_at <= occurred_at
        AND touched_at >= occurred_at - (SELECT lookback FROM rules)
        AND coalesce(clicked_again_at > occurred_at, true)
    WHERE attribution_token IS NULL
    GROUP BY conversion_key
)

SELECT
    conversions.*,
    coalesce(match, CASE WHEN attribution_token IS NULL THEN 'none' ELSE 'orphan' END) AS match,
    path,
    coalesce(len(path), 0) AS touches
FROM conversions
LEFT JOIN (FROM carrying UNION ALL FROM remembered) USING (conversion_key);

-- Grain: one row per conversion in `source`, a relation shaped like `events`, with its path.
CREATE OR REPLACE TEMP MACRO recompute_paths(source) AS TABLE
WITH converted AS (FROM conversions_in(source)),

touched AS (FROM recompute_touches(source))

FROM paths_of('converted', 'touched');

-- Grain: one row per conversion in `paths`, rows shaped like `paths_of`.
CREATE OR REPLACE TEMP MACRO conversions_of(paths) AS TABLE
SELECT * EXCLUDE (path), path[1].attribution_token AS last_touch_token, true AS is_counted
FROM query_table(paths);

-- Grain: one row per touch on a path in `paths`.
CREATE OR REPLACE TEMP MACRO conversion_touches_of(paths) AS TABLE
SELECT
    store_id, conversion_key, occurred_at, touches - nth + 1 AS position, touches,
    touch.touched_at, touch.attribution_token, touch.product_id, touch.event_key AS touch_event_key
FROM (
    SELECT
        store_id, conversion_key, occurred_at, touches,
        unnest(path) AS touch, generate_subscripts(path, 1) AS nth
    FROM query_table(paths)
);

-- Both from events alone, for the oracle.
CREATE OR REPLACE TEMP MACRO recompute_conversions(source) AS TABLE
WITH found AS (FROM recompute_paths(source))

FROM conversions_of('found');

-- The same with what counts of a purchase, and at whose price (A9, A11), by the lines in `line_rows`: without a
-- line its order has gone (T11).
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
    AND c.line = l.line
WHERE has_events_of_conversion(c.occurred_at)
    AND CASE c.conversion_type WHEN 'purchase' THEN l.event_key IS NOT NULL ELSE is_kept(c.occurred_at) END;

CREATE OR REPLACE TEMP MACRO recompute_conversion_touches(source) AS TABLE
WITH found AS (FROM recompute_paths(source))

FROM conversion_touches_of('found');

-- Grain: one row per line of a purchase or refund in `source`, a relation shaped like `events`, as its
-- event reported it. What was prefetched is no order (P2).
CREATE OR REPLACE TEMP MACRO reported_lines(source) AS TABLE
WITH orders AS (
    SELECT
        *,
        -- The event's own product is a one-line order.
        coalesce(
            items,
            [{
                'product_id': product_id,
                'variant_id': variant_id,
                'quantity': quantity,
                'price': price,
                'attribution_token': NULL
            }]
        ) AS ordered
    FROM query_table(source)
    WHERE event_type IN ('purchase', 'refund') AND NOT is_prefetch
),

lines AS (
    SELECT
        * EXCLUDE (product_id, variant_id, quantity, price, attribution_token),
        attribution_token AS event_token,
        unnest(ordered, recursive := true),
        generate_subscripts(ordered, 1) - 1 AS line
    FROM orders
)

SELECT
    store_id,
    event_key,
    CAST(line AS INTEGER) AS line,
    order_id,
    refund_id,
    occurred_at,
    day,
    device_key,
    session_id,
    product_id,
    variant_id,
    quantity AS reported_quantity,
    price AS reported_price,
    CASE WHEN price IS NOT NULL THEN currency END AS reported_currency,
    coalesce(attribution_token, event_token) AS attribution_token,
    is_bot,
    is_server,
    is_trusted,
    needs_confirmation,
    event_type = 'refund' AS is_refund
FROM lines;

-- Grain: one row per row of `reported`, a relation shaped like `reported_lines` that holds every line of
-- its orders: which of them count, once (A9).
CREATE OR REPLACE TEMP MACRO counted_lines(reported) AS TABLE
WITH named AS (
    SELECT
        *,
        -- An order, a refund of one, or an event that names none and stands for itself.
        coalesce(
            CASE
                WHEN is_refund THEN 'refund:' || strlen(order_id) || ':' || order_id || refund_id
                ELSE 'order:' || order_id
            END,
            'event:' || event_key || epoch_ms(occurred_at)
        ) AS thing,
        -- To join by it, and not by NULL.
        coalesce(CAST(variant_id AS VARCHAR), '') AS variant
    FROM query_table(reported)
),

-- Groups joined to their rows: over few rows a window costs DuckDB ten times as much.
prices AS (
    SELECT
        store_id, event_key, occurred_at, product_id,
        bool_and(reported_price IS NULL) AS is_unpriced
    FROM named
    GROUP BY store_id, event_key, occurred_at, product_id
),

compared AS (
    SELECT
        * EXCLUDE (is_unpriced),
        -- The lesser is the better report, in the order of the fields.
        {
            'is_bot': is_bot,
            'is_unpriced': is_unpriced,
            'is_deviceless': device_key LIKE 's:%',
            'is_server': is_server,
            'occurred_at': occurred_at,
            'event_key': event_key
        } AS report
    FROM named
    JOIN prices USING (store_id, event_key, occurred_at, product_id)
),

products AS (
    SELECT
        store_id, thing, product_id,
        min(report) AS of_product,
        coalesce(min(report) FILTER (WHERE variant_id IS NULL) = of_product, false) AS is_bare
    FROM compared
    GROUP BY store_id, thing, product_id
),

variants AS (
    SELECT store_id, thing, product_id, variant, min(report) AS of_variant
    FROM compared
    GROUP BY store_id, thing, product_id, variant
)

-- The best report's lines, and of a variant that it does not name the best one's that does.
SELECT
    * EXCLUDE (of_product, is_bare, of_variant),
    report = of_variant
    AND (report = of_product OR (variant_id IS NOT NULL AND NOT is_bare)) AS is_counted
FROM compared
JOIN products USING (store_id, thing, product_id)
JOIN variants USING (store_id, thing, product_id, variant);

-- Grain: one row per row of `settled`, rows shaped like `counted_lines` with the `money` that counts and
-- `is_unconfirmed`: as in `order_lines`.
CREATE OR REPLACE TEMP MACRO lines_of(settled) AS TABLE
-- An order is one of the session of its best counted line.
WITH firsts AS (
    SELECT store_id, thing, min({'report': report, 'line': line}) AS first
    FROM query_table(settled)
    WHERE is_counted
    GROUP BY store_id, thing
)

SELECT
    store_id, event_key, line, order_id, refund_id, occurred_at, day, device_key, session_id,
    product_id, variant_id,
    money.quantity AS quantity,
    money.price AS price,
    money.currency AS currency,
    CAST(money.price * money.quantity AS DECIMAL(18, 4)) AS revenue,
    reported_quantity, reported_price, reported_currency, attribution_token, is_bot, is_server,
    is_trusted, needs_confirmation, is_refund,
    is_counted,
    NOT is_counted AND NOT is_unconfirmed AS is_repeated,
    is_unconfirmed,
    order_hash_of(store_id, order_id) AS order_hash,
    device_key_hash_of(store_id, device_key) AS device_key_hash,
    NOT is_refund AND is_counted AND {'report': report, 'line': line} = first AS counts_order
FROM query_table(settled)
LEFT JOIN firsts USING (store_id, thing);

-- The order lines of `reported`, as above, where no report is trusted and none needs a trusted one.
CREATE OR REPLACE TEMP MACRO unconfirmed_order_lines(reported) AS TABLE
WITH settled AS (
    SELECT
        *,
        false AS is_unconfirmed,
        {
            'quantity': reported_quantity, 'price': reported_price, 'currency': reported_currency
        } AS money
    FROM counted_lines(reported)
)

FROM lines_of('settled');

-- The order lines of `reported`, as above: which count, and at whose price (A9, A11).
CREATE OR REPLACE TEMP MACRO settled_order_lines(reported) AS TABLE
WITH compared AS (FROM counted_lines(reported)),

trusted_products AS (
    SELECT
        store_id, thing, product_id,
        min(report) AS trusted_of_product,
        coalesce(
            min(report) FILTER (WHERE variant_id IS NULL) = trusted_of_product, false
        ) AS is_trusted_bare
    FROM compared
    WHERE is_trusted
    GROUP BY store_id, thing, product_id
),

trusted_variants AS (
    SELECT store_id, thing, product_id, variant, min(report) AS trusted_of_variant
    FROM compared
    WHERE is_trusted
    GROUP BY store_id, thing, product_id, variant
),

trusted_orders AS (
    SELECT DISTINCT store_id, order_id, true AS is_trusted_order
    FROM compared
    WHERE is_trusted AND NOT is_refund
),

things AS (
    SELECT
        store_id, thing,
        coalesce(
            bool_or(is_trusted_order) OR bool_or(is_trusted AND is_refund AND order_id IS NOT NULL),
            false
        )
        -- Or none but visitors of a store whose server confirms orders report it.
        OR bool_and(needs_confirmation) AS is_to_confirm
    FROM compared
    LEFT JOIN trusted_orders USING (store_id, order_id)
    GROUP BY store_id, thing
),

-- A9 among trusted reports alone.
counted AS (
    SELECT
        *,
        is_to_confirm AND is_trusted AND report = trusted_of_variant
        AND (
            report = trusted_of_product OR (variant_id IS NOT NULL AND NOT is_trusted_bare)
        ) AS is_confirming
    FROM compared
    JOIN things USING (store_id, thing)
    LEFT JOIN trusted_products USING (store_id, thing, product_id)
    LEFT JOIN trusted_variants USING (store_id, thing, product_id, variant)
),

-- A11: a counted line takes what a trusted line of its variant says, or of its product where a line of
-- either side names no variant (as in A8): the first the first one's, the second the second one's.
sided AS (
    SELECT
        *,
        CASE
            WHEN is_counted AND is_confirming THEN 'both'
            WHEN is_counted THEN 'counted'
            WHEN is_confirming THEN 'confirming'
        END AS side
    FROM counted
    WHERE is_to_confirm
),

pools AS (
    SELECT
        store_id, thing, product_id,
        bool_or(variant_id IS NULL AND (is_counted OR is_confirming)) AS is_one_pool
    FROM sided
    GROUP BY store_id, thing, product_id
),

pooled AS (
    SELECT *, CASE WHEN is_one_pool THEN '' ELSE variant END AS pool
    FROM sided
    JOIN pools USING (store_id, thing, product_id)
),

numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY store_id, thing, product_id, pool, side ORDER BY report, line
        ) AS nth
    FROM pooled
),

pairs AS (
    SELECT
        store_id, thing, product_id, pool, nth,
        max(CASE WHEN side = 'confirming' THEN {
            'quantity': reported_quantity, 'price': reported_price, 'currency': reported_currency
        } END) AS confirmed,
        bool_or(side = 'counted') AS is_taken
    FROM numbered
    GROUP BY store_id, thing, product_id, pool, nth
),

settled AS (
    SELECT
        * EXCLUDE (is_counted, confirmed),
        CASE side
            WHEN 'both' THEN true
            WHEN 'counted' THEN confirmed IS NOT NULL
            -- A trusted line that nobody else names counts by itself.
            WHEN 'confirming' THEN NOT is_taken
            ELSE false
        END AS is_counted,
        coalesce(side = 'counted' AND confirmed IS NULL, false) AS is_unconfirmed,
        CASE WHEN side = 'counted' AND confirmed IS NOT NULL THEN confirmed ELSE {
            'quantity': reported_quantity, 'price': reported_price, 'currency': reported_currency
        } END AS money
    FROM numbered
    JOIN pairs USING (store_id, thing, product_id, pool, nth)
    UNION ALL BY NAME
    SELECT
        *,
        false AS is_unconfirmed,
        {
            'quantity': reported_quantity, 'price': reported_price, 'currency': reported_currency
        } AS money
    FROM counted
    WHERE NOT is_to_confirm
)

FROM lines_of('settled');

-- The whole of it, for the oracle: but for orders that have gone, or a report of them (T11).
CREATE OR REPLACE TEMP VIEW reported_order_lines AS
SELECT * EXCLUDE (order_key)
FROM (
    SELECT *, order_key_of(store_id, order_id, event_key, occurred_at) AS order_key
    FROM reported_lines('events')
)
ANTI JOIN expired_orders USING (order_key)
ANTI JOIN settled_orders USING (order_key);

CREATE OR REPLACE TEMP MACRO recompute_order_lines() AS TABLE
FROM settled_order_lines('reported_order_lines');

-- Grain: one row per line of a refund of the orders in `wanted`, a relation of store, order and day, as in `refunds`.
-- All lines of these orders are in `lines`, a relation like `order_lines`. `wanted_day` is that of `wanted`, until the end by
-- the name `day`. It is a key of all that follows, so that a filter of it leaves the orders of that day alone: all others
-- are as many as the store has ever had.
CREATE OR REPLACE MACRO refunds_of(wanted, lines) AS TABLE
WITH returned AS NOT MATERIALIZED (
    SELECT l.* REPLACE (w.day AS day), l.day AS refund_day
    FROM query_table(lines) AS l
    JOIN query_table(wanted) AS w
        ON l.store_id = w.store_id AND l.order_id = w.order_id
),

pooled AS NOT MATERIALIZED (
    SELECT
        *,
        CASE
            WHEN bool_or(variant_id IS NULL AND is_counted) OVER (
                PARTITION BY store_id, day, order_id, product_id
            ) THEN NULL
            ELSE variant_id
        END AS from_variant_id
    FROM returned
),

bought AS NOT MATERIALIZED (
    SELECT *
    FROM pooled
    WHERE NOT is_refund AND is_counted
),

pools AS (
    SELECT
        store_id, day, order_id, product_id, from_variant_id,
        first(price ORDER BY occurred_at, event_key, line) FILTER (WHERE price IS NOT NULL) AS price,
        first(currency ORDER BY occurred_at, event_key, line) FILTER (WHERE price IS NOT NULL)
            AS currency,
        first(is_bot ORDER BY occurred_at, event_key, line) AS is_bot
    FROM bought
    GROUP BY ALL
),

earned AS (
    SELECT store_id, day, order_id, product_id, from_variant_id, currency, sum(revenue) AS revenue
    FROM bought
    WHERE revenue IS NOT NULL
    GROUP BY ALL
),

asked AS (
    SELECT
        r.store_id, r.event_key, r.line, r.refund_id, r.order_id, r.occurred_at, r.day, r.refund_day,
        r.product_id, r.variant_id, r.from_variant_id, r.quantity,
        coalesce(e.revenue, 0) AS bought,
        -- A webhook's own User-Agent says nothing of the buyer.
        coalesce(p.is_bot, r.is_bot) AS is_bot,
        coalesce(r.currency, p.currency) AS currency,
        CAST(coalesce(r.revenue, r.quantity * p.price) AS DECIMAL(38, 4)) AS amount,
        CASE
            WHEN r.is_repeated THEN 'repeated'
            WHEN r.is_unconfirmed THEN 'unconfirmed'
            WHEN p.order_id IS NULL THEN 'waiting'
            WHEN coalesce(r.revenue, p.price) IS NULL THEN 'unpriced'
            WHEN p.currency IS NOT NULL AND e.order_id IS NULL THEN 'other_currency'
            ELSE 'counted'
        END AS state
    FROM pooled AS r
    LEFT JOIN pools AS p
        ON r.store_id = p.store_id
        AND r.day = p.day
        AND r.order_id = p.order_id
        AND r.product_id = p.product_id
        AND r.from_variant_id IS NOT DISTINCT FROM p.from_variant_id
    LEFT JOIN earned AS e
        ON p.store_id = e.store_id
        AND r.day = e.day
        AND p.order_id = e.order_id
        AND p.product_id = e.product_id
        AND p.from_variant_id IS NOT DISTINCT FROM e.from_variant_id
        AND coalesce(r.currency, p.currency) = e.currency
    WHERE r.is_refund
),

summed AS (
    SELECT
        *,
        sum(CASE WHEN state = 'counted' THEN amount ELSE 0 END) OVER (
            PARTITION BY store_id, day, order_id, product_id, from_variant_id, currency
            ORDER BY occurred_at, event_key, line
            ROWS UNBOUNDED PRECEDING
        ) AS asked_so_far
    FROM asked
),

bounded AS (
    SELECT
        *,
        CASE WHEN state = 'counted' THEN least(asked_so_far, bought) END AS taken_after,
        CASE WHEN state = 'counted' THEN least(asked_so_far - amount, bought) END AS taken_before
    FROM summed
)

SELECT
    store_id, event_key, line, refund_id, order_id, occurred_at, refund_day AS day, day AS wanted_day, product_id, variant_id,
    from_variant_id, quantity, currency, amount,
    CASE
        WHEN state = 'counted' AND amount > 0 AND taken_after = taken_before THEN 'over' ELSE state
    END AS state,
    CAST(coalesce(taken_after - taken_before, 0) AS DECIMAL(38, 4)) AS taken,
    CAST(CASE WHEN state = 'counted' THEN amount - (taken_after - taken_before) END AS DECIMAL(38, 4))
        AS over,
    CAST(taken_before AS DECIMAL(38, 4)) AS taken_before,
    is_bot
FROM bounded;

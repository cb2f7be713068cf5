-- Grain: one row per line of a refund, and what it takes from the counted lines of its order (A8): from
-- those of `from_variant_id`, or, where a line names no variant, from all lines of the product.
-- `state`: counted; over (nothing is left to take); waiting (its order or line is unknown);
-- other_currency; unpriced (neither it nor its order names a price); repeated (A9); unconfirmed (A11).
WITH pooled AS (
    SELECT
        *,
        CASE
            WHEN bool_or(variant_id IS NULL AND is_counted) OVER (
                PARTITION BY store_id, order_id, product_id
            ) THEN NULL
            ELSE variant_id
        END AS from_variant_id
    FROM order_lines
    -- Of the few orders that have a refund: all others are as many as the store has ever had.
    SEMI JOIN (SELECT store_id, order_id FROM order_lines WHERE is_refund) AS returned
        USING (store_id, order_id)
),

bought AS (
    SELECT *
    FROM pooled
    WHERE NOT is_refund AND is_counted
),

pools AS (
    SELECT
        store_id, order_id, product_id, from_variant_id,
        first(price ORDER BY occurred_at, event_key, line) FILTER (WHERE price IS NOT NULL) AS price,
        first(currency ORDER BY occurred_at, event_key, line) FILTER (WHERE price IS NOT NULL)
            AS currency,
        first(is_bot ORDER BY occurred_at, event_key, line) AS is_bot
    FROM bought
    GROUP BY ALL
),

earned AS (
    SELECT store_id, order_id, product_id, from_variant_id, currency, sum(revenue) AS revenue
    FROM bought
    WHERE revenue IS NOT NULL
    GROUP BY ALL
),

asked AS (
    SELECT
        r.store_id, r.event_key, r.line, r.refund_id, r.order_id, r.occurred_at, r.day,
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
        AND r.order_id = p.order_id
        AND r.product_id = p.product_id
        AND r.from_variant_id IS NOT DISTINCT FROM p.from_variant_id
    LEFT JOIN earned AS e
        ON p.store_id = e.store_id
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
            PARTITION BY store_id, order_id, product_id, from_variant_id, currency
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
    store_id, event_key, line, refund_id, order_id, occurred_at, day, product_id, variant_id,
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

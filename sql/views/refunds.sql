-- Grain: one row per line of a refund, and what it takes from the counted line of its order (A8).
-- `state`: counted; over (nothing is left to take); waiting (its order or line is unknown);
-- other_currency; unpriced (neither it nor its order names a price); repeated (A9).
WITH bought AS (
    SELECT
        store_id, order_id, product_id, variant_id,
        sum(coalesce(revenue, 0)) AS revenue,
        first(price ORDER BY line) FILTER (WHERE price IS NOT NULL) AS price,
        -- Counted lines of one product are of one event, so of one currency.
        any_value(currency) AS currency,
        bool_or(is_bot) AS is_bot
    FROM order_lines
    WHERE NOT is_refund AND NOT is_repeated AND order_id IS NOT NULL
    GROUP BY ALL
),

asked AS (
    SELECT
        r.store_id, r.event_key, r.line, r.refund_id, r.order_id, r.occurred_at, r.product_id,
        r.variant_id, r.quantity, b.revenue AS bought, b.currency AS bought_currency,
        -- A webhook's own User-Agent says nothing of who bought.
        coalesce(b.is_bot, r.is_bot) AS is_bot,
        coalesce(r.currency, b.currency) AS currency,
        CAST(coalesce(r.revenue, r.quantity * b.price) AS DECIMAL(38, 4)) AS amount,
        CASE
            WHEN r.is_repeated THEN 'repeated'
            WHEN b.order_id IS NULL THEN 'waiting'
            WHEN coalesce(r.revenue, b.price) IS NULL THEN 'unpriced'
            WHEN r.currency <> b.currency THEN 'other_currency'
            ELSE 'counted'
        END AS state
    FROM order_lines AS r
    LEFT JOIN bought AS b
        ON r.store_id = b.store_id
        AND r.order_id = b.order_id
        AND r.product_id = b.product_id
        AND r.variant_id IS NOT DISTINCT FROM b.variant_id
    WHERE r.is_refund
),

summed AS (
    SELECT
        *,
        sum(CASE WHEN state = 'counted' THEN amount ELSE 0 END) OVER (
            PARTITION BY store_id, order_id, product_id, variant_id
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
    store_id, event_key, line, refund_id, order_id, occurred_at, CAST(occurred_at AS DATE) AS day,
    product_id, variant_id, quantity, currency, amount,
    CASE
        WHEN state = 'counted' AND amount > 0 AND taken_after = taken_before THEN 'over' ELSE state
    END AS state,
    CAST(coalesce(taken_after - taken_before, 0) AS DECIMAL(38, 4)) AS taken,
    CAST(CASE WHEN state = 'counted' THEN amount - (taken_after - taken_before) END AS DECIMAL(38, 4))
        AS over,
    CAST(taken_before AS DECIMAL(38, 4)) AS taken_before,
    is_bot
FROM bounded;

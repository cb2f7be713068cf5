-- Grain: as in `refund_credits`, of the refunds in `refunded`, a relation with the columns of `refunds`. All lines of their
-- orders are in `lines`, a relation like `order_lines`.
CREATE OR REPLACE MACRO refund_credits_of(refunded, lines) AS TABLE
WITH slices AS (
    SELECT
        r.store_id, r.event_key AS refund_event_key, r.line AS refund_line, r.refund_id, r.day,
        r.occurred_at AS refunded_at, r.taken_before, r.taken,
        l.event_key, l.occurred_at, l.line, l.revenue,
        -- Of two lines of one pool a refund takes from the first, then the next.
        sum(l.revenue) OVER (
            PARTITION BY r.store_id, r.day, r.event_key, r.occurred_at, r.line
            ORDER BY l.occurred_at, l.event_key, l.line ROWS UNBOUNDED PRECEDING
        ) - l.revenue AS opens
    FROM query_table(refunded) AS r
    JOIN query_table(lines) AS l
        ON r.store_id = l.store_id
        AND r.order_id = l.order_id
        AND r.product_id = l.product_id
        AND r.currency = l.currency
        AND (r.from_variant_id IS NULL OR r.from_variant_id = l.variant_id)
    WHERE r.taken > 0 AND NOT l.is_refund AND l.is_counted AND l.revenue > 0
),

taken AS (
    SELECT
        * EXCLUDE (taken_before, taken, opens),
        least(greatest(taken_before - opens, 0), revenue) AS before,
        least(greatest(taken_before + taken - opens, 0), revenue) AS after
    FROM slices
),

-- Their conversions, of the refund's day: so a filter of it reaches the tables through `credits_of`.
sold AS (
    SELECT o.* REPLACE (t.day AS day)
    FROM conversions AS o
    JOIN (
        SELECT DISTINCT store_id, day, event_key, occurred_at, line
        FROM taken
        WHERE after > before
    ) AS t
        ON o.event_key = t.event_key AND o.occurred_at = t.occurred_at AND o.line = t.line
),

parts AS (
    SELECT
        t.* EXCLUDE (event_key, occurred_at, line),
        c.conversion_key, c.model, c.match, c.product_id, c.attribution_token,
        c.touched_product_id, c.position, c.is_last, c.is_bot, c.currency,
        CASE WHEN c.is_last THEN 0 ELSE
            half_even(ten_thousandths(credit) * ten_thousandths(after), ten_thousandths(t.revenue) * unit)
            * unit
        END AS part_after,
        CASE WHEN c.is_last THEN 0 ELSE
            half_even(ten_thousandths(credit) * ten_thousandths(before), ten_thousandths(t.revenue) * unit)
            * unit
        END AS part_before
    FROM taken AS t
    JOIN sold AS o
        ON t.event_key = o.event_key AND t.occurred_at = o.occurred_at AND t.line = o.line AND t.day = o.day
    JOIN (
        SELECT
            credits.*, CAST(10 ** (4 - coalesce(places, 2)) AS HUGEINT) AS unit
        FROM credits_of('sold') AS credits LEFT JOIN currencies USING (currency)
    ) AS c ON o.conversion_key = c.conversion_key AND o.day = c.day
    WHERE after > before
)

SELECT
    store_id, refund_event_key, refund_line, refund_id, refunded_at, day, conversion_key, model,
    match, product_id, attribution_token, touched_product_id, position, is_bot, currency,
    CAST((
        CASE
            WHEN is_last THEN
                ten_thousandths(after - before) - sum(part_after - part_before) OVER of_path
            ELSE part_after - part_before
        END
    ) AS DECIMAL(34, 0)) * 0.0001 AS credit
FROM parts
WINDOW of_path AS (
    PARTITION BY store_id, day, refund_event_key, refund_line, refunded_at, conversion_key, model
);

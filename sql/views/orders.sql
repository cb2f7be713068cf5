-- Grain: one row per order that counts (A9, A11); an event that names none is its own. Time, day, device and session
-- are those of the line through which it counts. Money is that of its counted lines in `currency`, less what refunds
-- took from them on any later day. `…_token` has the most of it by that model (A7), of equal ones the greater token.
WITH best AS NOT MATERIALIZED (
    SELECT
        *,
        CASE WHEN order_id IS NULL THEN event_key END AS own_event,
        CASE WHEN order_id IS NULL THEN occurred_at END AS own_time
    FROM order_lines
    WHERE counts_order
),

lines AS NOT MATERIALIZED (
    SELECT
        *,
        CASE WHEN order_id IS NULL THEN event_key END AS own_event,
        CASE WHEN order_id IS NULL THEN occurred_at END AS own_time
    FROM order_lines
    WHERE is_counted AND NOT is_refund
),

-- The keys of the order's row, beside each of its lines.
ordered AS NOT MATERIALIZED (
    SELECT
        best.store_id, best.day, best.order_id, best.event_key, best.line AS best_line,
        best.occurred_at AS ordered_at, best.device_key, best.session_id, best.is_bot,
        lines.event_key AS line_event, lines.occurred_at, lines.line, lines.quantity, lines.revenue,
        lines.currency AS line_currency,
        first(lines.currency) OVER (
            PARTITION BY best.store_id, best.day, best.event_key, best.occurred_at, best.line
            ORDER BY lines.currency IS NULL, lines.occurred_at, lines.event_key, lines.line
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS currency
    FROM best
    JOIN lines
        ON best.store_id = lines.store_id
        AND best.order_id IS NOT DISTINCT FROM lines.order_id
        AND best.own_event IS NOT DISTINCT FROM lines.own_event
        AND best.own_time IS NOT DISTINCT FROM lines.own_time
),

totals AS (
    SELECT
        store_id, day, order_id, event_key, best_line, ordered_at, device_key, session_id, is_bot, currency,
        min(occurred_at) AS first_counted_at,
        count(*) AS lines,
        CAST(sum(quantity) AS BIGINT) AS quantity,
        CAST(sum(revenue) FILTER (WHERE line_currency = currency) AS DECIMAL(38, 4)) AS gross,
        count(*) FILTER (WHERE line_currency <> currency) AS lines_in_other_currencies
    FROM ordered
    GROUP BY ALL
),

-- Their conversions, of the order's day: so a filter of it reaches the tables through `credits_of`, although a line may
-- be of another day.
sold AS (
    SELECT f.* REPLACE (o.day AS day), o.event_key AS order_event, o.ordered_at
    FROM ordered AS o
    JOIN conversions AS f
        ON o.line_event = f.event_key AND o.occurred_at = f.occurred_at AND o.line = f.line
),

by_token AS (
    SELECT
        f.store_id, f.day, f.order_event AS event_key, f.ordered_at, c.model, c.attribution_token,
        sum(c.credit) AS credit, sum(c.weight) AS weight
    FROM sold AS f
    JOIN credits_of('sold') AS c
        ON f.conversion_key = c.conversion_key AND f.occurred_at = c.occurred_at AND f.day = c.day
    WHERE c.attribution_token IS NOT NULL
    GROUP BY ALL
),

credited AS (
    SELECT
        store_id, day, event_key, ordered_at,
        first(attribution_token ORDER BY credit DESC NULLS LAST, weight DESC, attribution_token DESC)
            FILTER (WHERE model = 'last') AS last_token,
        first(attribution_token ORDER BY credit DESC NULLS LAST, weight DESC, attribution_token DESC)
            FILTER (WHERE model = 'first') AS first_token,
        first(attribution_token ORDER BY credit DESC NULLS LAST, weight DESC, attribution_token DESC)
            FILTER (WHERE model = 'linear') AS linear_token,
        first(attribution_token ORDER BY credit DESC NULLS LAST, weight DESC, attribution_token DESC)
            FILTER (WHERE model = 'position') AS position_token,
        first(attribution_token ORDER BY credit DESC NULLS LAST, weight DESC, attribution_token DESC)
            FILTER (WHERE model = 'time_decay') AS time_decay_token
    FROM by_token
    GROUP BY ALL
),

-- Those that have refunds, of the order's day as well.
refunded_orders AS NOT MATERIALIZED (
    SELECT DISTINCT store_id, order_id, day
    FROM best
    SEMI JOIN (SELECT store_id, order_id FROM order_lines WHERE is_refund) AS returns USING (store_id, order_id)
),

taken_back AS (
    SELECT store_id, wanted_day AS day, order_id, currency, sum(taken) AS refunded
    FROM refunds_of('refunded_orders', 'order_lines')
    WHERE taken > 0
    GROUP BY ALL
)

SELECT
    o.store_id, o.day, o.order_id, o.event_key, o.ordered_at, o.first_counted_at, o.device_key, o.session_id,
    s.session_key, e.customer_id, o.lines, o.quantity, o.currency, o.gross,
    CAST(CASE WHEN o.gross IS NOT NULL THEN coalesce(r.refunded, 0) END AS DECIMAL(38, 4)) AS refunded,
    CAST(o.gross - coalesce(r.refunded, 0) AS DECIMAL(38, 4)) AS net,
    o.lines_in_other_currencies, c.* EXCLUDE (store_id, day, event_key, ordered_at), o.is_bot
FROM totals AS o
LEFT JOIN sessions AS s
    ON o.store_id = s.store_id
    AND o.device_key = s.device_key
    AND o.session_id = s.session_id
    AND o.ordered_at BETWEEN s.started_at AND s.ended_at
LEFT JOIN events AS e
    ON o.store_id = e.store_id
    AND o.event_key = e.event_key
    AND o.ordered_at = e.occurred_at
    AND o.day = e.day
    AND e.event_type = 'purchase'
LEFT JOIN taken_back AS r
    ON o.store_id = r.store_id AND o.order_id = r.order_id AND o.currency = r.currency AND o.day = r.day
LEFT JOIN credited AS c
    ON o.store_id = c.store_id AND o.event_key = c.event_key AND o.ordered_at = c.ordered_at AND o.day = c.day;

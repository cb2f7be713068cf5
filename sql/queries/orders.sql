-- How many orders are there, and what is one worth? Optional: $store, $first, $last.
-- An order is of the day on which it was placed. `refunded` is what refunds took from these orders, on any day.
-- They are the orders of `people_orders`, read without their tokens, which take longest.
WITH placed AS (
    SELECT
        store_id, day, order_id, order_hash, event_key, occurred_at,
        CASE WHEN order_id IS NULL THEN event_key END AS own_event,
        CASE WHEN order_id IS NULL THEN occurred_at END AS own_time
    FROM order_lines
    WHERE counts_order AND NOT is_bot
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

-- An order without an id is one event. Of all others only those that may be of these orders.
counted AS (
    SELECT
        store_id, order_id, event_key, occurred_at, line, currency, revenue,
        NULL AS own_event, NULL AS own_time
    FROM order_lines
    WHERE is_counted AND NOT is_refund AND order_hash IN (SELECT order_hash FROM placed)
    UNION ALL
    SELECT
        store_id, order_id, event_key, occurred_at, line, currency, revenue,
        event_key AS own_event, occurred_at AS own_time
    FROM order_lines
    WHERE is_counted AND NOT is_refund AND order_id IS NULL
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
),

-- Of each order its first currency, as lines in another are in no amount of it.
paid AS (
    SELECT p.store_id, p.order_id, c.currency, sum(c.revenue) AS gross
    FROM placed AS p
    JOIN counted AS c
        ON p.store_id = c.store_id
        AND p.order_id IS NOT DISTINCT FROM c.order_id
        AND p.own_event IS NOT DISTINCT FROM c.own_event
        AND p.own_time IS NOT DISTINCT FROM c.own_time
    GROUP BY p.store_id, p.order_id, p.event_key, p.occurred_at, c.currency
    QUALIFY row_number() OVER (
        PARTITION BY p.store_id, p.event_key, p.occurred_at
        ORDER BY c.currency IS NULL, min(ROW(c.occurred_at, c.event_key, c.line))
    ) = 1
),

-- Of these orders alone: those of all days are as many as the store has ever had.
refunded AS (
    SELECT store_id, order_id, order_hash, day
    FROM placed
    WHERE order_hash IN (SELECT order_hash FROM order_lines WHERE is_refund)
),

own_lines AS (
    FROM order_lines WHERE order_hash IN (SELECT order_hash FROM refunded)
),

taken_back AS (
    SELECT store_id, order_id, currency, sum(taken) AS refunded
    FROM refunds_of('refunded', 'own_lines')
    WHERE taken > 0
    GROUP BY store_id, order_id, currency
)

SELECT
    store_id,
    currency,
    count(*) AS orders,
    sum(gross) AS gross,
    sum(CASE WHEN gross IS NOT NULL THEN coalesce(refunded, 0) END) AS refunded,
    sum(gross - coalesce(refunded, 0)) AS net,
    round(sum(gross) / count(gross), 4) AS average_order,
    quantile_disc(gross, 0.5) AS median_order
FROM paid
LEFT JOIN taken_back USING (store_id, order_id, currency)
GROUP BY store_id, currency
ORDER BY store_id, currency;

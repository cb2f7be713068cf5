-- Grain: one row per order and currency whose reports disagree in what they earned, or that has lines no
-- trusted server confirms (A9, A11). `reported` lists what each event said; `counted` is what counts.
WITH reports AS (
    SELECT
        store_id, order_id, event_key, occurred_at, is_trusted, reported_currency AS currency,
        sum(reported_price * reported_quantity) AS reported
    FROM order_lines
    WHERE NOT is_refund AND order_id IS NOT NULL AND reported_currency IS NOT NULL
    GROUP BY ALL
),

settled AS (
    SELECT
        store_id, order_id, min(day) AS day, bool_or(is_unconfirmed) AS is_unconfirmed,
        list(DISTINCT currency) FILTER (WHERE NOT is_repeated AND NOT is_unconfirmed) AS currencies,
        sum(revenue) FILTER (WHERE NOT is_repeated AND NOT is_unconfirmed) AS counted
    FROM order_lines
    WHERE NOT is_refund AND order_id IS NOT NULL
    GROUP BY ALL
)

SELECT
    store_id, settled.day, order_id,
    list({'currency': currency, 'reported': reported, 'is_trusted': is_trusted} ORDER BY occurred_at, event_key)
        AS reports,
    any_value(settled.counted) AS counted,
    any_value(settled.is_unconfirmed) AS is_unconfirmed
FROM reports
JOIN settled USING (store_id, order_id)
GROUP BY store_id, settled.day, order_id
HAVING count(DISTINCT {'currency': currency, 'reported': reported}) > 1 OR any_value(settled.is_unconfirmed);

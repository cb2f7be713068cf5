-- Grain: one row per order and currency of its reports, where the reports disagree in what it earned, or
-- where it has lines no trusted server confirms (A9, A11). `reports` lists what each event said in that
-- currency; `counted` is what counts of it. An order in one event per line is one report.
WITH lines AS (
    SELECT
        *,
        -- As in A8: where a line names no variant, the product's lines are compared together.
        CASE
            WHEN bool_or(variant_id IS NULL) OVER (PARTITION BY store_id, order_id, product_id) THEN NULL
            ELSE variant_id
        END AS pool,
        {'device': device_key, 'is_server': is_server, 'is_trusted': is_trusted} AS reporter
    FROM order_lines
    WHERE NOT is_refund AND order_id IS NOT NULL
),

said AS (
    SELECT
        store_id, order_id, product_id, pool, reporter, event_key, occurred_at,
        reported_currency AS currency, sum(reported_price * reported_quantity) AS amount
    FROM lines
    WHERE reported_currency IS NOT NULL
    GROUP BY ALL
),

reporters AS (
    SELECT store_id, order_id, count(DISTINCT reporter) AS reporters FROM said GROUP BY ALL
),

-- Two events name one thing at two amounts, or one reporter names what another does not.
disagreeing AS (
    SELECT DISTINCT store_id, order_id
    FROM (
        SELECT
            store_id, order_id, product_id, pool,
            count(DISTINCT {'currency': currency, 'amount': amount}) AS amounts,
            count(DISTINCT reporter) AS named_by
        FROM said
        GROUP BY ALL
    )
    JOIN reporters USING (store_id, order_id)
    WHERE amounts > 1 OR named_by < reporters
),

settled AS (
    SELECT store_id, order_id, min(day) AS day, bool_or(is_unconfirmed) AS is_unconfirmed
    FROM lines
    GROUP BY ALL
),

counted AS (
    SELECT store_id, order_id, currency, sum(revenue) AS counted
    FROM lines
    WHERE is_counted
    GROUP BY ALL
),

reports AS (
    SELECT
        store_id, order_id, currency, reporter.is_trusted AS is_trusted, event_key, occurred_at,
        sum(amount) AS reported
    FROM said
    GROUP BY ALL
)

SELECT
    store_id, settled.day, order_id, currency,
    list(
        {'currency': currency, 'reported': reported, 'is_trusted': is_trusted}
        ORDER BY occurred_at, event_key
    ) AS reports,
    any_value(counted.counted) AS counted,
    settled.is_unconfirmed
FROM reports
JOIN settled USING (store_id, order_id)
LEFT JOIN counted USING (store_id, order_id, currency)
LEFT JOIN disagreeing USING (store_id, order_id)
WHERE disagreeing.order_id IS NOT NULL OR settled.is_unconfirmed
GROUP BY store_id, settled.day, order_id, currency, settled.is_unconfirmed;

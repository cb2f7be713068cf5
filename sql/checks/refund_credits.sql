-- What a refund takes from credits is what it takes from its order, under every model (A8).
WITH credited AS (
    SELECT refund_event_key AS event_key, refunded_at AS occurred_at, refund_line AS line, model,
        sum(credit) AS credit
    FROM refund_credits
    GROUP BY ALL
),

models AS (SELECT unnest(['last', 'first', 'linear', 'position', 'time_decay']) AS model)

SELECT event_key, line, model, taken, credit
FROM refunds
CROSS JOIN models
LEFT JOIN credited USING (event_key, occurred_at, line, model)
WHERE taken <> coalesce(credit, 0);

-- Which products are given back? Optional: $store, $first, $last. The first 20 per currency.
-- `taken` is what refunds of these days took from orders of any day; revenue is of these days, so the share may be
-- above 100.
WITH returned AS (
    SELECT store_id, product_id, currency, sum(taken) AS taken
    FROM refunds
    WHERE NOT is_bot AND taken > 0
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY store_id, product_id, currency
),

sold AS (
    SELECT store_id, product_id, currency, sum(gross_revenue) AS gross_revenue
    FROM daily_products
    WHERE NOT is_bot
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY store_id, product_id, currency
)

SELECT
    r.store_id,
    r.product_id,
    c.title,
    r.currency,
    coalesce(s.gross_revenue, 0) AS gross_revenue,
    r.taken,
    round(100.0 * r.taken / nullif(s.gross_revenue, 0), 2) AS taken_percent
FROM returned AS r
LEFT JOIN sold AS s USING (store_id, product_id, currency)
LEFT JOIN catalog AS c
    ON r.store_id = c.store_id AND c.kind = 'product' AND CAST(r.product_id AS VARCHAR) = c.id
QUALIFY row_number() OVER (PARTITION BY r.store_id, r.currency ORDER BY r.taken DESC, r.product_id) <= 20
ORDER BY r.store_id, r.currency, r.taken DESC, r.product_id;

-- Grain: one row per product that was shown, of people: its blended KPIs (B1-B4), the mean position at which it was
-- shown, and what was sold of it on these days, shown or not. The first 5,000. The title is the product's id where the
-- catalog has none.
WITH seen AS (
    SELECT
        product_id,
        CAST(sum(blended_impressions) AS BIGINT) AS blended_impressions,
        sum(blended_clicks) AS blended_clicks,
        sum(blended_add_to_carts) AS blended_add_to_carts,
        sum(blended_order_lines) AS blended_order_lines,
        sum(position * blended_impressions)
            / nullif(sum(blended_impressions) FILTER (WHERE position IS NOT NULL), 0) AS mean_position
    FROM shown
    WHERE shows = 'product' AND NOT is_bot AND product_id IS NOT NULL
    GROUP BY ALL
),

sold AS (
    SELECT product_id, CAST(sum(units) AS BIGINT) AS units,
        list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
            FILTER (WHERE amount IS NOT NULL AND currency IS NOT NULL) AS gross_revenue
    FROM (
        SELECT product_id, currency, sum(quantity) AS units, sum(revenue) AS amount
        FROM sales
        WHERE NOT is_bot AND day BETWEEN getvariable('first') AND getvariable('last')
        GROUP BY ALL
    )
    GROUP BY ALL
),

found AS (
    SELECT
        CAST(coalesce(seen.product_id, sold.product_id) AS VARCHAR) AS product,
        coalesce(blended_impressions, 0) AS blended_impressions,
        coalesce(blended_clicks, 0) AS blended_clicks,
        blended_clicks / nullif(blended_impressions, 0) AS click_through_rate,
        coalesce(blended_add_to_carts, 0) AS blended_add_to_carts,
        coalesce(blended_order_lines, 0) AS blended_order_lines,
        blended_order_lines / nullif(blended_impressions, 0) AS purchase_rate,
        mean_position,
        coalesce(units, 0) AS units,
        gross_revenue
    FROM seen
    FULL JOIN sold USING (product_id)
    ORDER BY blended_impressions DESC, units DESC, product
    LIMIT 5000
)

SELECT found.*, coalesce(t.title, found.product) AS title, t.title IS NOT NULL AS is_titled, t.url, t.category
FROM found
LEFT JOIN titles AS t ON t.kind = 'product' AND found.product = t.id
ORDER BY found.blended_impressions DESC, found.units DESC, found.product;

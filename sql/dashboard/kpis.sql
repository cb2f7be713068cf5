-- Grain: one row per `grain` (token, block, collection) and name, of people: blended KPIs (B1-B4). A token stands
-- for a block, else a collection, else a search. The first 5,000 of each grain.
WITH parts AS (
    SELECT
        currency, coalesce(block_id, collection_handle, search_term) AS stands_for, blended_clicks, blended_add_to_carts, blended_order_lines, blended_revenue,
        unnest([
            {'grain': 'token', 'name': attribution_token, 'blended_impressions': tokens_shown},
            {'grain': 'block', 'name': block_id, 'blended_impressions': tokens_shown},
            {'grain': 'collection', 'name': collection_handle, 'blended_impressions': tokens_shown}
        ], recursive := true)
    FROM shown
    WHERE NOT is_bot
),

by_currency AS (
    SELECT
        grain, name, currency,
        min(stands_for) AS stands_for,
        sum(blended_impressions) AS blended_impressions,
        sum(blended_clicks) AS blended_clicks,
        sum(blended_add_to_carts) AS blended_add_to_carts,
        sum(blended_order_lines) AS blended_order_lines,
        sum(blended_revenue) AS amount
    FROM parts
    WHERE name IS NOT NULL
    GROUP BY ALL
)

SELECT
    grain, name, min(stands_for) AS stands_for,
    CAST(sum(blended_impressions) AS BIGINT) AS blended_impressions,
    sum(blended_clicks) AS blended_clicks,
    sum(blended_clicks) / nullif(sum(blended_impressions), 0) AS click_through_rate,
    sum(blended_add_to_carts) AS blended_add_to_carts,
    sum(blended_order_lines) AS blended_order_lines,
    sum(blended_order_lines) / nullif(sum(blended_impressions), 0) AS purchase_rate,
    list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
        FILTER (WHERE currency IS NOT NULL) AS blended_revenue
FROM by_currency
GROUP BY grain, name
QUALIFY row_number() OVER (PARTITION BY grain ORDER BY sum(blended_impressions) DESC, name) <= 5000
ORDER BY grain, blended_impressions DESC, name;

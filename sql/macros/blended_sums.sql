-- Grain: one row per store, day of t0, bot or not, currency and, as `shows` says, token with its block, collection and
-- search term, or product and position: what a day's blended counts add up to (B1-B4, K1).
CREATE OR REPLACE MACRO blended_sums(first_day, last_day, of_all) AS TABLE
SELECT
    store_id, day,
    CASE WHEN grouping(attribution_token) = 0 THEN 'token' ELSE 'product' END AS shows,
    attribution_token, block_id, collection_handle, search_term, product_id, position, is_bot, currency,
    CAST(CASE WHEN grouping(attribution_token) = 0 THEN sum(tokens_shown) ELSE sum(products_shown) END AS BIGINT)
        AS blended_impressions,
    sum(blended_clicks) AS blended_clicks,
    sum(blended_add_to_carts) AS blended_add_to_carts,
    sum(blended_order_lines) AS blended_order_lines,
    sum(blended_revenue) AS blended_revenue
FROM blended(first_day, last_day, of_all)
GROUP BY GROUPING SETS (
    (store_id, day, attribution_token, block_id, collection_handle, search_term, is_bot, currency),
    (store_id, day, product_id, position, is_bot, currency)
)
HAVING grouping(attribution_token) = 0 OR product_id IS NOT NULL OR position IS NOT NULL;

-- Grain: rows whose sums are those of `blended_sums` over all sessions: those of `summed_blended`, and of the sessions
-- that it lacks.
CREATE OR REPLACE MACRO blended_days(first_day, last_day) AS TABLE
FROM blended_sums(first_day, last_day, false)
UNION ALL BY NAME
SELECT
    store_id, day, shows, attribution_token, block_id, collection_handle, search_term, product_id, position, is_bot,
    currency,
    summed_impressions AS blended_impressions,
    summed_clicks AS blended_clicks,
    summed_add_to_carts AS blended_add_to_carts,
    summed_order_lines AS blended_order_lines,
    summed_revenue AS blended_revenue
FROM summed_blended
WHERE day BETWEEN first_day AND last_day;

-- `summed_blended` and the sessions that it lacks equal the recompute from all sessions and events, of days that are whole.
WITH stored AS (
    SELECT
        store_id, day, shows, attribution_token, block_id, collection_handle, search_term, product_id, position, is_bot, currency,
        sum(blended_impressions) AS blended_impressions,
        sum(blended_clicks) AS blended_clicks,
        sum(blended_add_to_carts) AS blended_add_to_carts,
        sum(blended_order_lines) AS blended_order_lines,
        sum(blended_revenue) AS blended_revenue
    FROM blended_days(DATE '-infinity', DATE 'infinity')
    WHERE is_whole_day(day)
    GROUP BY ALL
),

recomputed AS (FROM blended_sums(DATE '-infinity', DATE 'infinity', true) WHERE is_whole_day(day)),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

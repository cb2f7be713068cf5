-- KPIs by $grain from $first to $last, and their change from the period before. Optional: $store.
-- $grain is token, block, collection, query, product, position or all_tokens; the period before is as long.
WITH days AS (
    SELECT
        *,
        day >= CAST($first AS DATE) AS is_now
    FROM kpis(
        CAST($first AS DATE) - CAST(CAST($last AS DATE) - CAST($first AS DATE) + 1 AS INTEGER), CAST($last AS DATE)
    )
    WHERE grain = coalesce($grain, 'token') AND ($store IS NULL OR store_id = $store)
),

periods AS (
    SELECT
        store_id, name,
        CAST(coalesce(sum(blended_impressions) FILTER (WHERE is_now), 0) AS BIGINT) AS blended_impressions,
        coalesce(sum(blended_clicks) FILTER (WHERE is_now), 0) AS blended_clicks,
        coalesce(sum(blended_add_to_carts) FILTER (WHERE is_now), 0) AS blended_add_to_carts,
        coalesce(sum(blended_order_lines) FILTER (WHERE is_now), 0) AS blended_order_lines,
        CAST(coalesce(sum(blended_impressions) FILTER (WHERE NOT is_now), 0) AS BIGINT) AS impressions_before,
        coalesce(sum(blended_clicks) FILTER (WHERE NOT is_now), 0) AS clicks_before,
        coalesce(sum(blended_order_lines) FILTER (WHERE NOT is_now), 0) AS order_lines_before
    FROM days
    GROUP BY store_id, name
)

SELECT
    store_id, name, blended_impressions, blended_clicks, blended_add_to_carts, blended_order_lines,
    blended_clicks / nullif(blended_impressions, 0) AS click_through_rate,
    blended_add_to_carts / nullif(blended_impressions, 0) AS add_to_cart_rate,
    blended_order_lines / nullif(blended_impressions, 0) AS purchase_rate,
    (blended_impressions - impressions_before) / nullif(impressions_before, 0) AS impressions_change,
    (blended_clicks - clicks_before) / nullif(clicks_before, 0) AS clicks_change,
    (blended_order_lines - order_lines_before) / nullif(order_lines_before, 0) AS order_lines_change,
    (blended_clicks / nullif(blended_impressions, 0) - clicks_before / nullif(impressions_before, 0))
        / nullif(clicks_before / nullif(impressions_before, 0), 0) AS click_through_rate_change,
    (blended_order_lines / nullif(blended_impressions, 0) - order_lines_before / nullif(impressions_before, 0))
        / nullif(order_lines_before / nullif(impressions_before, 0), 0) AS purchase_rate_change
FROM periods
ORDER BY store_id, blended_impressions DESC, name;

-- KPIs by $grain from $first to $last, and their change from the period before. Optional: $store.
-- $grain is token, block, collection, query, product, position or store; the period before is as long.
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
        CAST(coalesce(sum(impressions) FILTER (WHERE is_now), 0) AS BIGINT) AS impressions,
        coalesce(sum(clicks) FILTER (WHERE is_now), 0) AS clicks,
        coalesce(sum(add_to_carts) FILTER (WHERE is_now), 0) AS add_to_carts,
        coalesce(sum(purchases) FILTER (WHERE is_now), 0) AS purchases,
        CAST(coalesce(sum(impressions) FILTER (WHERE NOT is_now), 0) AS BIGINT) AS impressions_before,
        coalesce(sum(clicks) FILTER (WHERE NOT is_now), 0) AS clicks_before,
        coalesce(sum(purchases) FILTER (WHERE NOT is_now), 0) AS purchases_before
    FROM days
    GROUP BY store_id, name
)

SELECT
    store_id, name, impressions, clicks, add_to_carts, purchases,
    clicks / nullif(impressions, 0) AS click_through_rate,
    add_to_carts / nullif(impressions, 0) AS add_to_cart_rate,
    purchases / nullif(impressions, 0) AS purchase_rate,
    (impressions - impressions_before) / nullif(impressions_before, 0) AS impressions_change,
    (clicks - clicks_before) / nullif(clicks_before, 0) AS clicks_change,
    (purchases - purchases_before) / nullif(purchases_before, 0) AS purchases_change,
    (clicks / nullif(impressions, 0) - clicks_before / nullif(impressions_before, 0))
        / nullif(clicks_before / nullif(impressions_before, 0), 0) AS click_through_rate_change,
    (purchases / nullif(impressions, 0) - purchases_before / nullif(impressions_before, 0))
        / nullif(purchases_before / nullif(impressions_before, 0), 0) AS purchase_rate_change
FROM periods
ORDER BY store_id, impressions DESC, name;

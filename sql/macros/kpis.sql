-- Grain: one row per store, day of t0, `grain` and name. Without bots, except in
-- `bot_impressions`. Without impressions a rate is NULL; without events it is 0.
CREATE OR REPLACE MACRO kpis(first_day, last_day) AS TABLE
WITH summed AS (
    SELECT
        store_id, day, grain, name,
        CAST(coalesce(sum(impressions) FILTER (WHERE NOT is_bot), 0) AS BIGINT) AS impressions,
        coalesce(sum(clicks) FILTER (WHERE NOT is_bot), 0) AS clicks,
        coalesce(sum(add_to_carts) FILTER (WHERE NOT is_bot), 0) AS add_to_carts,
        coalesce(sum(purchases) FILTER (WHERE NOT is_bot), 0) AS purchases,
        CAST(coalesce(sum(impressions) FILTER (WHERE is_bot), 0) AS BIGINT) AS bot_impressions
    FROM kpi_parts(first_day, last_day)
    GROUP BY ALL
)

SELECT
    *,
    clicks / nullif(impressions, 0) AS click_through_rate,
    add_to_carts / nullif(impressions, 0) AS add_to_cart_rate,
    purchases / nullif(impressions, 0) AS purchase_rate
FROM summed;

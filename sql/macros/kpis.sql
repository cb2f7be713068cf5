-- Grain: one row per store, day of t0, `grain` and name. Without bots, except in
-- `bot_blended_impressions`. Without impressions a rate is NULL; without events it is 0.
CREATE OR REPLACE MACRO kpis(first_day, last_day) AS TABLE
WITH summed AS (
    SELECT
        store_id, day, grain, name,
        CAST(coalesce(sum(blended_impressions) FILTER (WHERE NOT is_bot), 0) AS BIGINT)
            AS blended_impressions,
        coalesce(sum(blended_clicks) FILTER (WHERE NOT is_bot), 0) AS blended_clicks,
        coalesce(sum(blended_add_to_carts) FILTER (WHERE NOT is_bot), 0) AS blended_add_to_carts,
        coalesce(sum(blended_order_lines) FILTER (WHERE NOT is_bot), 0) AS blended_order_lines,
        CAST(coalesce(sum(blended_impressions) FILTER (WHERE is_bot), 0) AS BIGINT)
            AS bot_blended_impressions
    FROM kpi_parts(first_day, last_day)
    GROUP BY ALL
)

SELECT
    *,
    blended_clicks / nullif(blended_impressions, 0) AS click_through_rate,
    blended_add_to_carts / nullif(blended_impressions, 0) AS add_to_cart_rate,
    blended_order_lines / nullif(blended_impressions, 0) AS purchase_rate
FROM summed;

-- Grain: one row per store, day of t0, `grain`, name, currency, bot or not: parts of the KPIs whose sum over any
-- days is that of the span. Lines and revenue are in the row of their currency, all else in that without one.
CREATE OR REPLACE MACRO daily_kpis(first_day, last_day) AS TABLE
SELECT
    store_id, day, grain, name, currency, is_bot,
    CAST(sum(blended_impressions) AS BIGINT) AS blended_impressions,
    sum(blended_clicks) AS blended_clicks,
    sum(blended_add_to_carts) AS blended_add_to_carts,
    sum(blended_order_lines) AS blended_order_lines,
    sum(blended_revenue) AS blended_revenue
FROM kpi_parts(first_day, last_day)
GROUP BY ALL;

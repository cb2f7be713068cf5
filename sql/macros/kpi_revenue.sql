-- Grain: one row per store, day of t0, `grain`, name and currency of the revenue.
-- Without bots. `revenue_per_impression` is NULL without impressions.
CREATE OR REPLACE MACRO kpi_revenue(first_day, last_day) AS TABLE
SELECT
    earned.*,
    shown.blended_impressions,
    earned.blended_revenue / nullif(shown.blended_impressions, 0) AS revenue_per_impression
FROM (
    SELECT store_id, day, grain, name, currency, sum(blended_revenue) AS blended_revenue
    FROM kpi_parts(first_day, last_day)
    WHERE NOT is_bot AND currency IS NOT NULL
    GROUP BY ALL
) AS earned
JOIN (
    SELECT store_id, day, grain, name, CAST(sum(blended_impressions) AS BIGINT) AS blended_impressions
    FROM kpi_parts(first_day, last_day)
    WHERE NOT is_bot
    GROUP BY ALL
) AS shown USING (store_id, day, grain, name);

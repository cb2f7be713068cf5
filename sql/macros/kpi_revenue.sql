-- Grain: one row per store, day of t0, `grain`, name and currency of the revenue.
-- Without bots. `revenue_per_impression` is NULL without impressions.
CREATE OR REPLACE MACRO kpi_revenue(first_day, last_day) AS TABLE
SELECT *, blended_revenue / nullif(blended_impressions, 0) AS revenue_per_impression
FROM (
    SELECT
        store_id, day, grain, name, currency,
        sum(blended_revenue) AS blended_revenue,
        -- Impressions have no currency: each row has those of all.
        CAST(sum(sum(blended_impressions)) OVER (PARTITION BY store_id, day, grain, name) AS BIGINT)
            AS blended_impressions
    FROM kpi_parts(first_day, last_day)
    WHERE NOT is_bot
    GROUP BY store_id, day, grain, name, currency
)
WHERE currency IS NOT NULL;

-- What people look at first, by store and day, before (`old`) and after: one row per figure. Without bots (P3).
CREATE OR REPLACE TEMP MACRO figures_of(session_days, attribution_days) AS TABLE
SELECT store_id, day, 'sessions' AS figure, CAST(sum(sessions) AS DECIMAL(38, 4)) AS value
FROM query_table(session_days)
WHERE NOT is_bot AND NOT is_report
GROUP BY ALL
UNION ALL
SELECT store_id, day, 'orders', sum(session_orders)
FROM query_table(session_days)
WHERE NOT is_bot
GROUP BY ALL
UNION ALL
SELECT store_id, day, 'conversions', sum(conversions)
FROM query_table(attribution_days)
WHERE NOT is_bot
GROUP BY ALL
UNION ALL
SELECT store_id, day, 'conversions of a touch', sum(conversions)
FROM query_table(attribution_days)
WHERE NOT is_bot AND match IN ('direct', 'carried')
GROUP BY ALL
UNION ALL
SELECT store_id, day, 'revenue ' || currency, sum(attributed_revenue)
FROM query_table(attribution_days)
WHERE NOT is_bot AND conversion_type = 'purchase' AND currency IS NOT NULL
GROUP BY ALL
UNION ALL
SELECT store_id, day, 'revenue of a touch ' || currency, sum(attributed_revenue)
FROM query_table(attribution_days)
WHERE NOT is_bot AND conversion_type = 'purchase' AND currency IS NOT NULL
    AND match IN ('direct', 'carried')
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE figures AS
SELECT
    store_id, day, figure,
    coalesce(before.value, 0) AS before,
    coalesce(after.value, 0) AS after
FROM figures_of('old.daily_sessions', 'old.daily_attribution') AS before
FULL JOIN figures_of('daily_sessions', 'daily_attribution') AS after
    USING (store_id, day, figure);

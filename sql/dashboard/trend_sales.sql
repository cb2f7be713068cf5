-- Grain: one row per day, hour where hours are asked for, and currency, of people.
SELECT
    day,
    CASE WHEN getvariable('grain_of_time') = 'hour' THEN hour END AS hour,
    in_time, currency,
    count(*) FILTER (WHERE counts_order) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(38, 4)) AS gross_revenue
FROM sales
WHERE NOT is_bot
GROUP BY ALL
ORDER BY day, hour, in_time, currency;

-- The credits of each conversion sum to its revenue and its weights to 1, under every model (A7).
SELECT
    conversion_key, model, sum(weight) AS weight, sum(credit) AS credit,
    any_value(revenue) AS revenue
FROM credits
JOIN conversions USING (conversion_key)
GROUP BY ALL
HAVING sum(weight) <> 1 OR sum(credit) IS DISTINCT FROM any_value(revenue);

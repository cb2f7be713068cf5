-- Grain: one row per store and figure, over all days.
SELECT store_id, figure, sum(before) AS before, sum(after) AS after
FROM figures
GROUP BY ALL
ORDER BY ALL;

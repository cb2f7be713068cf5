-- Grain: one row per store, day and figure that changes.
SELECT store_id, day, figure, before, after
FROM figures
WHERE before <> after
ORDER BY ALL;

-- Every order line, and whether it repeats (A9), is what `events` say.
WITH stored AS (FROM order_lines),

recomputed AS (FROM recompute_order_lines('events'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

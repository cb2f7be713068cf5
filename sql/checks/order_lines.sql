-- Every order line, and whether it repeats (A9), is what `events` say.
WITH stored AS (FROM order_lines),

recomputed AS (FROM recompute_order_lines('events')),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Each device with a late event that can still reach its rows is known, and until when (T7).
WITH stored AS (FROM late_devices),

recomputed AS (FROM recompute_late_devices('events', 'sessions')),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Each device with a late event that can still reach its rows is known, and until when (T7).
WITH stored AS (FROM late_devices),

recomputed AS (FROM recompute_late_devices('events', 'sessions'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

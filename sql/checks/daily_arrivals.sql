-- `daily_arrivals`, kept by difference, equals its sum over the rows, of days that are whole.
WITH stored AS (FROM daily_arrivals WHERE is_whole_day(day)),

recomputed AS (FROM recompute_daily_arrivals('events') WHERE is_whole_day(day)),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

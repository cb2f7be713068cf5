-- Every session's revenue is that of its counted lines, per currency (A10).
WITH stored AS (FROM session_revenue),

recomputed AS (FROM recompute_session_revenue('sessions', 'order_lines')),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

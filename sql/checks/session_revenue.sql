-- Every session's revenue is that of its counted lines, per currency (A10).
WITH stored AS (FROM session_revenue),

recomputed AS (FROM recompute_session_revenue('sessions', 'order_lines'))

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

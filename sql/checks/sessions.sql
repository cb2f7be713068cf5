-- Every session equals a recompute from `events` (S1-S6), orders included (A9).
WITH stored AS (
    SELECT * EXCLUDE (is_open) FROM sessions WHERE has_events_of_session(started_at)
),

recomputed AS (
    SELECT
        s.*,
        o.orders IS NOT NULL AS has_converted,
        coalesce(o.orders, 0) AS orders
    FROM recompute_sessions('events') AS s
    LEFT JOIN recompute_session_orders('sessions', 'order_lines') AS o USING (session_key)
    WHERE is_kept_session(s.ended_at) AND has_events_of_session(s.started_at)
),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

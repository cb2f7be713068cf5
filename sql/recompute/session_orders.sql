-- Grain: one row per session in `session_rows` with a counted order line in `line_rows` (A9):
-- what it bought. A session without one has no row.
CREATE OR REPLACE TEMP MACRO recompute_session_orders(session_rows, line_rows) AS TABLE
SELECT
    s.session_key,
    count(DISTINCT coalesce('o:' || l.order_id, 'e:' || CAST(l.event_key AS VARCHAR))) AS orders
FROM query_table(session_rows) AS s
JOIN query_table(line_rows) AS l
    ON s.store_id = l.store_id
    AND s.device_key = l.device_key
    AND s.session_id = l.session_id
    AND l.occurred_at BETWEEN s.started_at AND s.ended_at
WHERE NOT l.is_refund AND NOT l.is_repeated
GROUP BY ALL;

-- Grain: one row per session and currency; gross revenue of its counted, priced lines (A10).
CREATE OR REPLACE TEMP MACRO recompute_session_revenue(session_rows, line_rows) AS TABLE
SELECT
    s.store_id,
    s.session_key,
    s.started_at,
    l.currency,
    CAST(sum(l.revenue) AS DECIMAL(38, 4)) AS revenue
FROM query_table(session_rows) AS s
JOIN query_table(line_rows) AS l
    ON s.store_id = l.store_id
    AND s.device_key = l.device_key
    AND s.session_id = l.session_id
    AND l.occurred_at BETWEEN s.started_at AND s.ended_at
WHERE NOT l.is_refund AND NOT l.is_repeated AND l.revenue IS NOT NULL
GROUP BY ALL;

-- Grain: one row per session in `session_rows` with an order of its own in `line_rows` (A9). A session
-- without one has no row. Lines of bots count in sessions of bots alone (P2).
CREATE OR REPLACE TEMP MACRO recompute_session_orders(session_rows, line_rows) AS TABLE
SELECT s.session_key, count(*) AS orders
FROM query_table(session_rows) AS s
JOIN query_table(line_rows) AS l
    ON s.store_id = l.store_id
    AND s.device_key = l.device_key
    AND s.session_id = l.session_id
    AND s.is_bot = l.is_bot
    AND l.occurred_at BETWEEN s.started_at AND s.ended_at
WHERE l.counts_order
GROUP BY ALL;

-- Grain: one row per session and currency; gross revenue of its counted, priced lines (A10).
CREATE OR REPLACE TEMP MACRO recompute_session_revenue(session_rows, line_rows) AS TABLE
SELECT
    s.store_id,
    s.session_key,
    s.started_at,
    l.currency,
    CAST(sum(l.revenue) AS DECIMAL(38, 4)) AS revenue,
    count(*) AS lines
FROM query_table(session_rows) AS s
JOIN query_table(line_rows) AS l
    ON s.store_id = l.store_id
    AND s.device_key = l.device_key
    AND s.session_id = l.session_id
    AND s.is_bot = l.is_bot
    AND l.occurred_at BETWEEN s.started_at AND s.ended_at
WHERE NOT l.is_refund AND l.is_counted AND l.revenue IS NOT NULL
GROUP BY ALL;

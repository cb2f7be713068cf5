-- The orders of sessions are the distinct orders with a counted line (A9), those of bots apart.
WITH counted AS (
    SELECT
        store_id,
        count(DISTINCT coalesce('order:' || order_id, 'event:' || event_key || occurred_at)) AS orders
    FROM order_lines
    WHERE NOT is_refund AND is_counted
    GROUP BY ALL
),

-- An order whose best report is a bot's, in a person's session, is nobody's. So is one whose best report was in
-- a session that has gone (T11).
left_out AS (
    SELECT l.store_id, count(*) AS orders
    FROM order_lines AS l
    LEFT JOIN sessions AS s
        ON s.store_id = l.store_id
        AND s.device_key = l.device_key
        AND s.session_id = l.session_id
        AND l.occurred_at BETWEEN s.started_at AND s.ended_at
    WHERE l.counts_order AND coalesce(s.is_bot <> l.is_bot, NOT is_kept(l.occurred_at))
    GROUP BY ALL
),

of_sessions AS (SELECT store_id, CAST(sum(orders) AS BIGINT) AS orders FROM sessions GROUP BY ALL)

SELECT store_id, counted.orders AS orders, of_sessions.orders AS of_sessions
FROM counted
LEFT JOIN of_sessions USING (store_id)
LEFT JOIN left_out USING (store_id)
WHERE counted.orders <> coalesce(of_sessions.orders, 0) + coalesce(left_out.orders, 0);

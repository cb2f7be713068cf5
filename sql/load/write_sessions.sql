-- Write the session rows in place of the old ones. Orders and revenue are those of the rows that went, and
-- what the lines that came and went make of them: no session reads its lines again. A row of a bot's
-- session has none of a person's lines, so it brings nothing to a person's session (P2).
INSERT INTO old_revenue
SELECT held.* FROM session_revenue AS held
SEMI JOIN old_sessions USING (session_key)
WHERE near_old_sessions(held.started_at);

UPDATE new_sessions SET has_converted = ordered.orders > 0, orders = ordered.orders
FROM (
    SELECT session_key, CAST(sum(orders) AS BIGINT) AS orders
    FROM (
        SELECT new.session_key, old.orders
        FROM new_sessions AS new
        JOIN old_sessions AS old
            ON new.store_id = old.store_id
            AND new.device_key = old.device_key
            AND new.session_id = old.session_id
            AND new.is_bot = old.is_bot
            AND old.started_at BETWEEN new.started_at AND new.ended_at
        UNION ALL
        FROM recompute_session_orders('new_sessions', 'new_lines')
        UNION ALL
        SELECT session_key, -orders FROM recompute_session_orders('new_sessions', 'old_lines')
    )
    GROUP BY session_key
) AS ordered
WHERE new_sessions.session_key = ordered.session_key;

DELETE FROM sessions
WHERE near_old_sessions(started_at) AND session_key IN (SELECT session_key FROM old_sessions);
DELETE FROM session_revenue
WHERE near_old_sessions(started_at) AND session_key IN (SELECT session_key FROM old_revenue);

-- S7: silence longer than the gap, in stream time, closes a session. Its last event may be of a partition that
-- its device has left.
UPDATE new_sessions SET is_open = stream.stream_time <= ended_at + (SELECT gap FROM rules)
FROM (
    SELECT partition, stream_time FROM in_ledger
    UNION ALL
    SELECT partition, stream_time FROM ledger ANTI JOIN in_ledger USING (partition)
) AS stream
WHERE new_sessions.partition = stream.partition;

INSERT INTO sessions FROM new_sessions;
INSERT INTO session_revenue BY NAME
SELECT
    store_id, session_key, started_at, currency,
    CAST(sum(revenue) AS DECIMAL(38, 4)) AS revenue, CAST(sum(lines) AS BIGINT) AS lines
FROM (
    SELECT new.store_id, new.session_key, new.started_at, held.currency, held.revenue, held.lines
    FROM new_sessions AS new
    JOIN old_sessions AS old
        ON new.store_id = old.store_id
        AND new.device_key = old.device_key
        AND new.session_id = old.session_id
        AND new.is_bot = old.is_bot
        AND old.started_at BETWEEN new.started_at AND new.ended_at
    JOIN old_revenue AS held ON old.session_key = held.session_key
    UNION ALL
    FROM recompute_session_revenue('new_sessions', 'new_lines')
    UNION ALL
    SELECT * REPLACE (-revenue AS revenue, -lines AS lines)
    FROM recompute_session_revenue('new_sessions', 'old_lines')
)
GROUP BY ALL
HAVING sum(lines) > 0;

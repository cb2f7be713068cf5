-- Which devices the stream cannot know whole: those with a late event that has just come, or whose
-- reach is not yet behind the horizon (architecture, healing). Their rows come from `events`.
-- If any: FROM late_devices
INSERT INTO late_events
FROM events SEMI JOIN late_devices USING (store_id, device_key);

INSERT INTO healed
WITH reaches AS (
    -- The session that a late event stands in can grow until its end and the gap ...
    SELECT e.store_id, e.device_key, s.ended_at + (SELECT gap FROM rules) AS reach
    FROM late_events AS e
    JOIN recompute_sessions('late_events') AS s
        ON e.store_id = s.store_id
        AND e.device_key = s.device_key
        AND e.session_id = s.session_id
        AND e.occurred_at BETWEEN s.started_at AND s.ended_at
    WHERE e.is_late
    UNION ALL
    -- ... and a late touch can claim conversions for a lookback.
    SELECT store_id, device_key, occurred_at + (SELECT lookback FROM rules)
    FROM late_events
    WHERE is_late AND event_type = 'product_click' AND attribution_token IS NOT NULL
    UNION ALL
    SELECT store_id, device_key, NULL FROM fresh WHERE is_late
)

SELECT store_id, device_key
FROM reaches
JOIN late_devices USING (store_id, device_key)
GROUP BY store_id, device_key
HAVING bool_or(reach IS NULL OR horizon IS NULL OR reach >= horizon);

INSERT INTO healed_events FROM late_events SEMI JOIN healed USING (store_id, device_key);

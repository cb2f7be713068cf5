-- Which devices the stream cannot know whole: those with a late event that has just come, or with a
-- late or missing one whose reach is not yet behind the horizon (architecture, healing). Their rows
-- come from `events`.
-- If any: FROM doubtful
-- By row id: else every column of every event is read to find a few (20 times as long at 5 million).
INSERT INTO doubtful_events
FROM events
WHERE rowid IN (
    SELECT events.rowid FROM events SEMI JOIN doubtful USING (store_id, device_key)
);

INSERT INTO healed
WITH rules_here AS (
    SELECT gap, lookback FROM rules
),

found AS (
    FROM recompute_sessions('doubtful_events')
),

reaches AS (
    -- The session that a late event stands in can grow until its end and the gap ...
    SELECT e.store_id, e.device_key, s.ended_at + gap AS reach
    FROM doubtful_events AS e
    JOIN found AS s
        ON e.store_id = s.store_id
        AND e.device_key = s.device_key
        AND e.session_id = s.session_id
        AND e.occurred_at BETWEEN s.started_at AND s.ended_at
    CROSS JOIN rules_here
    WHERE e.is_late
    UNION ALL
    -- ... and a late touch can claim conversions for a lookback.
    SELECT store_id, device_key, occurred_at + lookback
    FROM doubtful_events CROSS JOIN rules_here
    WHERE is_late AND event_type = 'product_click' AND attribution_token IS NOT NULL
    UNION ALL
    SELECT store_id, device_key, NULL FROM fresh WHERE is_late
    UNION ALL
    -- A missing event may stand in any session that began within a gap of it ...
    SELECT store_id, device_key, ended_at + gap
    FROM found JOIN doubtful USING (store_id, device_key) CROSS JOIN rules_here
    WHERE started_at <= missing_until + gap
    UNION ALL
    -- ... and may be a touch.
    SELECT store_id, device_key, missing_until + lookback
    FROM doubtful CROSS JOIN rules_here
    WHERE missing_until IS NOT NULL
)

SELECT store_id, device_key
FROM reaches
JOIN doubtful USING (store_id, device_key)
GROUP BY store_id, device_key
HAVING bool_or(reach IS NULL OR horizon IS NULL OR reach >= horizon);

INSERT INTO healed_events FROM doubtful_events SEMI JOIN healed USING (store_id, device_key);

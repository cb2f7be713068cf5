-- Grain: one row per store, day of the session's start, campaign (its first event's) and
-- currency; sessions are counted in the row without a currency. Without bots.
WITH counted AS (
    SELECT
        store_id, day, marketing_source, marketing_medium,
        marketing_campaign, CAST(NULL AS VARCHAR) AS currency, 1 AS sessions,
        CAST(has_converted AS INTEGER) AS converted, CAST(NULL AS DECIMAL(38, 4)) AS session_gross_revenue
    FROM sessions
    WHERE NOT is_bot AND NOT is_report
    UNION ALL
    SELECT
        s.store_id, s.day, s.marketing_source, s.marketing_medium,
        s.marketing_campaign, r.currency, 0, 0, r.revenue
    FROM sessions AS s
    JOIN session_revenue AS r USING (session_key)
    WHERE NOT s.is_bot
)

SELECT
    store_id, day, marketing_source, marketing_medium, marketing_campaign, currency,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(converted) AS BIGINT) AS converted,
    sum(session_gross_revenue) AS session_gross_revenue
FROM counted
GROUP BY ALL;

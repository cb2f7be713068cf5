-- Grain: one row per store, day, search term and currency, for people's searches from $first_day to $last_day: what a
-- day's searches add up to. What follows a search in its session is of it, up to the session's next search (Q2).
-- Counts are in the row without a currency. Without `of_all` of the sessions that are not in `summed_searches`.
CREATE OR REPLACE MACRO search_sums(first_day, last_day, of_all) AS TABLE
WITH visits AS (FROM visits_of(first_day, last_day, of_all) WHERE NOT is_bot AND searches > 0),

happened AS (
    SELECT
        e.store_id, v.session_key, e.event_type, e.event_key, 0 AS line, e.occurred_at, e.day, e.search_term,
        e.position, CAST(NULL AS VARCHAR) AS currency, CAST(NULL AS DECIMAL(18, 4)) AS revenue
    FROM events AS e
    JOIN visits AS v
        ON e.store_id = v.store_id
        AND e.device_key = v.device_key
        AND e.session_id = v.session_id
        AND e.occurred_at BETWEEN v.started_at AND v.ended_at
    -- Files of the archive are skipped by their days: by times each would be opened, and by NULL all be read. A store's
    -- days are at most one off those of UTC.
    WHERE e.day >= (SELECT coalesce(min(CAST(started_at AS DATE)) - 1, 'infinity') FROM visits)
        AND e.day <= (SELECT coalesce(max(CAST(ended_at AS DATE)) + 1, '-infinity') FROM visits)
        AND NOT e.is_bot AND NOT e.is_prefetch
        AND e.event_type IN ('search', 'product_click', 'add_to_cart')
    UNION ALL
    SELECT
        l.store_id, v.session_key, 'purchase', l.event_key, l.line, l.occurred_at, NULL, NULL, NULL,
        l.currency, l.revenue
    FROM order_lines AS l
    JOIN visits AS v
        ON l.store_id = v.store_id
        AND l.device_key = v.device_key
        AND l.session_id = v.session_id
        AND l.occurred_at BETWEEN v.started_at AND v.ended_at
    WHERE NOT l.is_bot AND NOT l.is_refund AND l.is_counted
),

-- Numbered in each session; what comes before the first has number 0.
followed AS (
    SELECT
        *,
        count(*) FILTER (WHERE event_type = 'search') OVER (
            PARTITION BY store_id, session_key
            ORDER BY occurred_at, event_rank(event_type), event_key, line
            ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM happened
),

searched AS (
    SELECT
        store_id, session_key, number,
        any_value(day) FILTER (WHERE event_type = 'search') AS day,
        any_value(search_term) FILTER (WHERE event_type = 'search') AS search_term,
        count(*) FILTER (WHERE event_type = 'product_click') AS clicks,
        sum(position) FILTER (WHERE event_type = 'product_click') AS positions,
        count(*) FILTER (WHERE event_type = 'add_to_cart') AS carts,
        count(*) FILTER (WHERE event_type = 'purchase') AS lines
    FROM followed
    WHERE number > 0
    GROUP BY ALL
),

parts AS (
    SELECT
        store_id, day, search_term, CAST(NULL AS VARCHAR) AS currency, session_key,
        1 AS searches,
        CAST(clicks > 0 AS INTEGER) AS clicked,
        CAST(carts > 0 AS INTEGER) AS carted,
        CAST(lines > 0 AS INTEGER) AS bought,
        clicks, positions, CAST(NULL AS DECIMAL(38, 4)) AS revenue
    FROM searched
    UNION ALL
    SELECT
        s.store_id, s.day, s.search_term, f.currency, NULL, 0, 0, 0, 0, 0, 0, f.revenue
    FROM followed AS f
    JOIN searched AS s USING (store_id, session_key, number)
    WHERE f.revenue IS NOT NULL
)

SELECT
    store_id, day, search_term, currency,
    CAST(sum(searches) AS BIGINT) AS searches,
    count(DISTINCT session_key) AS searching_sessions,
    CAST(sum(clicked) AS BIGINT) AS searches_clicked,
    CAST(sum(carted) AS BIGINT) AS searches_carted,
    CAST(sum(bought) AS BIGINT) AS searches_bought,
    CAST(sum(clicks) AS BIGINT) AS search_clicks,
    CAST(coalesce(sum(positions), 0) AS BIGINT) AS search_click_positions,
    CAST(count(revenue) AS BIGINT) AS search_lines,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(38, 4)) AS search_revenue
FROM parts
WHERE day BETWEEN first_day AND last_day
GROUP BY store_id, day, search_term, currency;

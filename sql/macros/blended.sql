-- Grain: one row per store, day of t0, token, its block, collection and search term, product, position,
-- bot or not, and currency, with what blended counting gives it (B1-B4). `tokens_shown` counts (session,
-- token), `products_shown` (session, token, product, position). Reads only sessions from $first_day to
-- $last_day, both included; without `of_all` those that are not in `summed_blended`.
CREATE OR REPLACE MACRO blended(first_day, last_day, of_all) AS TABLE
WITH visits AS (FROM visits_of(first_day, last_day, of_all)),

-- Events of people and of bots are separate: neither shows a token to the other.
happened AS (
    SELECT
        e.store_id, v.session_key, e.is_bot, e.event_type, e.event_key, e.occurred_at,
        e.attribution_token, e.product_id, e.position, e.block_id, e.collection_handle,
        e.search_term, e.day
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
        AND NOT e.is_prefetch
        AND e.event_type IN (
            'block_view', 'product_impression', 'collection_view', 'search', 'product_click',
            'add_to_cart'
        )
),

-- A token in a session: t0, and the block, collection and search term that it stands for.
shown AS (
    SELECT
        store_id, session_key, is_bot, attribution_token,
        min(occurred_at) AS t0,
        arg_min(day, occurred_at) AS day,
        first(block_id ORDER BY occurred_at, event_rank(event_type), event_key)
            FILTER (WHERE block_id IS NOT NULL) AS block_id,
        first(collection_handle ORDER BY occurred_at, event_rank(event_type), event_key)
            FILTER (WHERE collection_handle IS NOT NULL) AS collection_handle,
        first(search_term ORDER BY occurred_at, event_rank(event_type), event_key)
            FILTER (WHERE search_term IS NOT NULL) AS search_term,
        bool_or(event_type = 'product_impression') AS has_impressions
    FROM happened
    WHERE attribution_token IS NOT NULL
        AND event_type IN ('block_view', 'product_impression', 'collection_view', 'search')
    GROUP BY ALL
),

impressed AS (
    SELECT
        store_id, session_key, is_bot, attribution_token, product_id, position, occurred_at
    FROM happened
    WHERE event_type = 'product_impression' AND attribution_token IS NOT NULL
),

done AS (
    SELECT
        store_id, session_key, is_bot, event_type AS action, event_key, 0 AS line, occurred_at,
        attribution_token, product_id, CAST(NULL AS VARCHAR) AS currency,
        CAST(NULL AS DECIMAL(18, 4)) AS revenue
    FROM happened
    WHERE event_type IN ('product_click', 'add_to_cart')
    UNION ALL
    SELECT
        l.store_id, v.session_key, l.is_bot, 'purchase', l.event_key, l.line, l.occurred_at,
        l.attribution_token, l.product_id, l.currency, l.revenue
    FROM order_lines AS l
    JOIN visits AS v
        ON l.store_id = v.store_id
        AND l.device_key = v.device_key
        AND l.session_id = v.session_id
        AND l.occurred_at BETWEEN v.started_at AND v.ended_at
    WHERE NOT l.is_refund AND l.is_counted
),

counted AS (
    -- B1: what carries the token of something shown in its session.
    SELECT done.*, 1.0 AS counts
    FROM done
    JOIN shown USING (store_id, session_key, is_bot, attribution_token)
    UNION ALL
    -- B2: what carries none, within ten minutes, for the latest token that can claim it.
    SELECT
        done.* REPLACE (shown.attribution_token AS attribution_token),
        CASE WHEN done.occurred_at <= shown.t0 + INTERVAL 2 MINUTE THEN 1.0 ELSE 0.5 END
    FROM done
    JOIN shown
        ON done.store_id = shown.store_id
        AND done.session_key = shown.session_key
        AND done.is_bot = shown.is_bot
        AND done.occurred_at BETWEEN shown.t0 AND shown.t0 + INTERVAL 10 MINUTE
    WHERE done.attribution_token IS NULL
        -- B3
        AND (
            NOT shown.has_impressions
            OR EXISTS (
                FROM impressed AS i
                WHERE i.store_id = shown.store_id
                    AND i.session_key = shown.session_key
                    AND i.is_bot = shown.is_bot
                    AND i.attribution_token = shown.attribution_token
                    AND i.product_id = done.product_id
            )
        )
    QUALIFY row_number() OVER (
        PARTITION BY done.event_key, done.occurred_at, done.line
        ORDER BY shown.t0 DESC, shown.attribution_token DESC
    ) = 1
),

-- The position at which the token showed the product: the latest before, else the first after.
placed AS (
    SELECT counted.*, i.position
    FROM counted
    LEFT JOIN impressed AS i
        ON counted.store_id = i.store_id
        AND counted.session_key = i.session_key
        AND counted.is_bot = i.is_bot
        AND counted.attribution_token = i.attribution_token
        AND counted.product_id = i.product_id
    QUALIFY row_number() OVER (
        PARTITION BY counted.event_key, counted.occurred_at, counted.line
        ORDER BY
            i.occurred_at <= counted.occurred_at DESC,
            abs(epoch_ms(i.occurred_at) - epoch_ms(counted.occurred_at)),
            i.position
    ) = 1
),

parts AS (
    SELECT
        store_id, session_key, is_bot, attribution_token, CAST(NULL AS BIGINT) AS product_id,
        CAST(NULL AS BIGINT) AS position, CAST(NULL AS VARCHAR) AS currency,
        1 AS tokens_shown, 0 AS products_shown, 0.0 AS blended_clicks,
        0.0 AS blended_add_to_carts, 0.0 AS blended_order_lines,
        CAST(0 AS DECIMAL(38, 5)) AS blended_revenue
    FROM shown
    UNION ALL
    SELECT
        store_id, session_key, is_bot, attribution_token, product_id, position, NULL,
        0, 1, 0.0, 0.0, 0.0, 0
    FROM (SELECT DISTINCT * EXCLUDE (occurred_at) FROM impressed)
    UNION ALL
    SELECT
        store_id, session_key, is_bot, attribution_token, product_id, position, currency,
        0, 0,
        CASE WHEN action = 'product_click' THEN counts ELSE 0.0 END,
        CASE WHEN action = 'add_to_cart' THEN counts ELSE 0.0 END,
        CASE WHEN action = 'purchase' THEN counts ELSE 0.0 END,
        counts * coalesce(revenue, 0)
    FROM placed
)

SELECT
    store_id, day, attribution_token, block_id, collection_handle, search_term,
    parts.product_id, parts.position, is_bot, currency,
    CAST(sum(tokens_shown) AS BIGINT) AS tokens_shown,
    CAST(sum(products_shown) AS BIGINT) AS products_shown,
    sum(blended_clicks) AS blended_clicks,
    sum(blended_add_to_carts) AS blended_add_to_carts,
    sum(blended_order_lines) AS blended_order_lines,
    sum(blended_revenue) AS blended_revenue
FROM parts
JOIN shown USING (store_id, session_key, is_bot, attribution_token)
WHERE day BETWEEN first_day AND last_day
GROUP BY ALL;

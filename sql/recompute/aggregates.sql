-- What each aggregate holds, as macros over its sources: over the whole tables it is the oracle
-- and the rebuild, over the rows that came and went it is the difference that the loader adds.

-- Grain: store, day, event type, channel, is_bot, is_prefetch; from rows shaped like `events`.
CREATE OR REPLACE TEMP MACRO recompute_daily_traffic(event_rows) AS TABLE
SELECT
    store_id, day, event_type, shopping_channel, is_bot, is_prefetch,
    count(*) AS events
FROM query_table(event_rows)
GROUP BY ALL;

-- Grain: store, day, day of arrival, and field, outcome and reason: all NULL in the row that counts whole events; from
-- rows shaped like `events`.
CREATE OR REPLACE TEMP MACRO recompute_daily_arrivals(event_rows) AS TABLE
WITH parts AS (
    SELECT
        store_id, day, received_day,
        CAST(NULL AS VARCHAR) AS field, CAST(NULL AS VARCHAR) AS outcome, CAST(NULL AS VARCHAR) AS reason,
        1 AS arrivals,
        CAST(is_late AS INTEGER) AS late,
        CAST(is_clock_skewed AS INTEGER) AS skewed,
        CAST(is_bot AS INTEGER) AS bot,
        CAST(is_server AS INTEGER) AS server,
        CAST(is_prefetch AS INTEGER) AS prefetched,
        CAST(repairs IS NOT NULL AS INTEGER) AS repaired,
        CAST(received_at <= occurred_at + INTERVAL 1 MINUTE AS INTEGER) AS in_a_minute,
        CAST(received_at <= occurred_at + INTERVAL 1 HOUR AS INTEGER) AS in_an_hour,
        CAST(received_at <= occurred_at + INTERVAL 1 DAY AS INTEGER) AS in_a_day,
        0 AS fields
    FROM query_table(event_rows)
    UNION ALL
    SELECT
        store_id, day, received_day,
        split_part(repair, ': ', 1),
        CASE WHEN split_part(repair, ': ', 2) IN ('respelled', 'rounded') THEN 'repaired' ELSE 'ignored' END,
        split_part(repair, ': ', 2),
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
    FROM (
        SELECT store_id, day, received_day, unnest(list_distinct(repairs)) AS repair
        FROM query_table(event_rows)
        WHERE repairs IS NOT NULL
    )
)

SELECT
    store_id, day, received_day, field, outcome, reason,
    CAST(sum(arrivals) AS BIGINT) AS arrivals,
    CAST(sum(late) AS BIGINT) AS late_arrivals,
    CAST(sum(skewed) AS BIGINT) AS skewed_arrivals,
    CAST(sum(bot) AS BIGINT) AS bot_arrivals,
    CAST(sum(server) AS BIGINT) AS server_arrivals,
    CAST(sum(prefetched) AS BIGINT) AS prefetched_arrivals,
    CAST(sum(repaired) AS BIGINT) AS repaired_arrivals,
    CAST(sum(in_a_minute) AS BIGINT) AS minute_arrivals,
    CAST(sum(in_an_hour) AS BIGINT) AS hour_arrivals,
    CAST(sum(in_a_day) AS BIGINT) AS day_arrivals,
    CAST(sum(fields) AS BIGINT) AS field_arrivals
FROM parts
GROUP BY ALL;

-- Grain: store, day of the start, channel, source, medium, is_bot, is_report; from rows like
-- `sessions`.
CREATE OR REPLACE TEMP MACRO recompute_daily_sessions(session_rows) AS TABLE
SELECT
    store_id, day, shopping_channel, marketing_source, marketing_medium, is_bot, is_report,
    count(*) AS sessions,
    CAST(sum(events) AS BIGINT) AS session_events,
    CAST(sum(epoch_ms(ended_at) - epoch_ms(started_at)) AS BIGINT) AS duration_ms,
    count(*) FILTER (WHERE events = 1) AS single_event_sessions,
    count(*) FILTER (WHERE product_impressions > 0) AS with_impression,
    count(*) FILTER (WHERE product_clicks > 0) AS with_click,
    count(*) FILTER (WHERE product_views > 0) AS with_product_view,
    count(*) FILTER (WHERE add_to_carts > 0) AS with_add_to_cart,
    count(*) FILTER (WHERE has_converted) AS converted,
    CAST(sum(orders) AS BIGINT) AS session_orders
FROM query_table(session_rows)
GROUP BY ALL;

-- Grain: store, day, product, is_bot, currency; from rows like `events` and `order_lines`.
CREATE OR REPLACE TEMP MACRO recompute_daily_products(event_rows, line_rows) AS TABLE
WITH parts AS (
    SELECT
        store_id, day, product_id, is_bot,
        CAST(NULL AS VARCHAR) AS currency,
        CAST(event_type = 'product_impression' AS BIGINT) AS product_impressions,
        CAST(event_type IN ('product_hover', 'product_touch') AS BIGINT) AS hovers,
        CAST(event_type = 'product_click' AS BIGINT) AS product_clicks,
        CAST(event_type = 'product_view' AS BIGINT) AS product_views,
        CAST(event_type = 'add_to_cart' AS BIGINT) AS add_to_carts,
        0 AS order_lines, 0 AS units, 0 AS gross_revenue
    FROM query_table(event_rows)
    WHERE product_id IS NOT NULL AND NOT is_prefetch AND event_type IN (
        'product_impression', 'product_hover', 'product_touch', 'product_click', 'product_view',
        'add_to_cart'
    )
    UNION ALL
    SELECT
        store_id, day, product_id, is_bot, currency,
        0, 0, 0, 0, 0, 1, quantity, coalesce(revenue, 0)
    FROM query_table(line_rows)
    WHERE NOT is_refund AND is_counted
)

SELECT
    store_id, day, product_id, is_bot, currency,
    CAST(sum(product_impressions) AS BIGINT) AS product_impressions,
    CAST(sum(hovers) AS BIGINT) AS hovers,
    CAST(sum(product_clicks) AS BIGINT) AS product_clicks,
    CAST(sum(product_views) AS BIGINT) AS product_views,
    CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
    CAST(sum(order_lines) AS BIGINT) AS order_lines,
    CAST(sum(units) AS BIGINT) AS units,
    CAST(sum(gross_revenue) AS DECIMAL(38, 4)) AS gross_revenue
FROM parts
GROUP BY ALL;

-- Grain: store, day, token carried, is_bot, currency; from rows like `events`, `order_lines`.
CREATE OR REPLACE TEMP MACRO recompute_daily_tokens(event_rows, line_rows) AS TABLE
WITH parts AS (
    SELECT
        store_id, day, attribution_token, is_bot,
        CAST(NULL AS VARCHAR) AS currency,
        CAST(event_type IN ('search', 'autocomplete', 'collection_view') AS BIGINT) AS token_list_views,
        CAST(event_type = 'block_view' AS BIGINT) AS token_block_views,
        CAST(event_type = 'product_impression' AS BIGINT) AS token_impressions,
        CAST(event_type = 'product_click' AS BIGINT) AS token_clicks,
        CAST(event_type = 'add_to_cart' AS BIGINT) AS token_add_to_carts,
        0 AS token_order_lines, 0 AS token_units, 0 AS token_revenue
    FROM query_table(event_rows)
    WHERE attribution_token IS NOT NULL AND NOT is_prefetch AND event_type IN (
        'search', 'autocomplete', 'collection_view', 'block_view', 'product_impression',
        'product_click', 'add_to_cart'
    )
    UNION ALL
    SELECT
        store_id, day, attribution_token, is_bot, currency,
        0, 0, 0, 0, 0, 1, quantity, coalesce(revenue, 0)
    FROM query_table(line_rows)
    WHERE attribution_token IS NOT NULL AND NOT is_refund AND is_counted
)

SELECT
    store_id, day, attribution_token, is_bot, currency,
    CAST(sum(token_list_views) AS BIGINT) AS token_list_views,
    CAST(sum(token_block_views) AS BIGINT) AS token_block_views,
    CAST(sum(token_impressions) AS BIGINT) AS token_impressions,
    CAST(sum(token_clicks) AS BIGINT) AS token_clicks,
    CAST(sum(token_add_to_carts) AS BIGINT) AS token_add_to_carts,
    CAST(sum(token_order_lines) AS BIGINT) AS token_order_lines,
    CAST(sum(token_units) AS BIGINT) AS token_units,
    CAST(sum(token_revenue) AS DECIMAL(38, 4)) AS token_revenue
FROM parts
GROUP BY ALL;

-- Grain: store, day, type, match, token, is_bot, currency; from rows like `conversions`.
CREATE OR REPLACE TEMP MACRO recompute_daily_attribution(conversion_rows) AS TABLE
SELECT
    store_id, day, conversion_type, match,
    coalesce(last_touch_token, attribution_token) AS attribution_token, is_bot, currency,
    count(*) AS conversions,
    CAST(sum(touches) AS BIGINT) AS touches,
    CAST(sum(quantity) AS BIGINT) AS conversion_units,
    CAST(sum(coalesce(revenue, 0)) AS DECIMAL(38, 4)) AS attributed_revenue
FROM query_table(conversion_rows)
WHERE is_counted
GROUP BY ALL;

-- Grain: as in the macro `blended_sums`; from rows shaped like it.
CREATE OR REPLACE TEMP MACRO recompute_summed_blended(part_rows) AS TABLE
FROM query_table(part_rows);

-- Grain: as in the macro `search_sums`; from rows shaped like it.
CREATE OR REPLACE TEMP MACRO recompute_summed_searches(part_rows) AS TABLE
FROM query_table(part_rows);

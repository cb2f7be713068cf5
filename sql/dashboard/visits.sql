-- Grain: one row per store, day and hour of the session's start, and all that filters choose by: chosen sessions of
-- the days shown and of those compared with. `in_time`: by the time of day at which an unfinished last day stands.
CREATE OR REPLACE TEMP TABLE visits AS
SELECT
    s.store_id, s.day,
    hour(time_in(c.timezone, s.started_at)) AS hour,
    c.today <> getvariable('last') OR CAST(time_in(c.timezone, s.started_at) AS TIME) <= c.time_of_day AS in_time,
    s.shopping_channel, s.device_type, s.country, s.marketing_source, s.marketing_medium, s.marketing_campaign,
    s.is_bot, s.is_report,
    count(*) AS sessions,
    CAST(sum(s.events) AS BIGINT) AS session_events,
    CAST(sum(s.searches) AS BIGINT) AS searches,
    count(*) FILTER (WHERE s.product_impressions > 0) AS saw_products,
    count(*) FILTER (WHERE s.product_clicks > 0) AS clicked,
    count(*) FILTER (WHERE s.product_views > 0) AS viewed_a_product,
    count(*) FILTER (WHERE s.add_to_carts > 0) AS added_to_cart,
    count(*) FILTER (WHERE s.has_converted) AS bought
FROM sessions AS s
JOIN clocks AS c USING (store_id)
WHERE s.day BETWEEN getvariable('earliest') AND getvariable('last')
GROUP BY ALL;

-- Grain: one row per store, day, search term and currency, for people's searches from $first_day to $last_day (Q2).
-- Counts are in the row without a currency.
CREATE OR REPLACE MACRO searches(first_day, last_day) AS TABLE
SELECT
    store_id, day, search_term, currency,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(searching_sessions) AS BIGINT) AS searching_sessions,
    CAST(sum(searches_clicked) AS BIGINT) AS searches_clicked,
    CAST(sum(searches) - sum(searches_clicked) AS BIGINT) AS searches_without_click,
    CAST(sum(searches_carted) AS BIGINT) AS searches_carted,
    CAST(sum(searches_bought) AS BIGINT) AS searches_bought,
    CAST(sum(search_clicks) AS BIGINT) AS search_clicks,
    CAST(sum(search_click_positions) AS BIGINT) AS search_click_positions,
    -- Places count from 1.
    nullif(sum(search_click_positions), 0) / nullif(sum(search_clicks), 0) AS mean_click_position,
    CASE WHEN sum(search_lines) > 0 THEN sum(search_revenue) END AS search_revenue
FROM search_days(first_day, last_day)
GROUP BY store_id, day, search_term, currency;

-- `summed_searches` and the sessions that it lacks equal the recompute from all sessions and events, of days that are whole.
WITH stored AS (
    SELECT
        store_id, day, search_term, currency,
        sum(searches) AS searches,
        sum(searching_sessions) AS searching_sessions,
        sum(searches_clicked) AS searches_clicked,
        sum(searches_carted) AS searches_carted,
        sum(searches_bought) AS searches_bought,
        sum(search_clicks) AS search_clicks,
        sum(search_click_positions) AS search_click_positions,
        sum(search_lines) AS search_lines,
        sum(search_revenue) AS search_revenue
    FROM search_days(DATE '-infinity', DATE 'infinity')
    WHERE is_whole_day(day)
    GROUP BY ALL
),

recomputed AS (FROM search_sums(DATE '-infinity', DATE 'infinity', true) WHERE is_whole_day(day)),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Grain: rows whose sums are those of `search_sums` over all sessions: those of `summed_searches`, and of the sessions
-- that it lacks.
CREATE OR REPLACE MACRO search_days(first_day, last_day) AS TABLE
FROM search_sums(first_day, last_day, false)
UNION ALL BY NAME
SELECT
    store_id, day, search_term, currency,
    summed_searches AS searches,
    summed_sessions AS searching_sessions,
    summed_clicked AS searches_clicked,
    summed_carted AS searches_carted,
    summed_bought AS searches_bought,
    summed_search_clicks AS search_clicks,
    summed_positions AS search_click_positions,
    summed_lines AS search_lines,
    summed_search_revenue AS search_revenue
FROM summed_searches
WHERE day BETWEEN first_day AND last_day;

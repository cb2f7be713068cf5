-- What they come to.
INSERT INTO blended_parts BY NAME
SELECT * RENAME (
    blended_impressions AS summed_impressions,
    blended_clicks AS summed_clicks,
    blended_add_to_carts AS summed_add_to_carts,
    blended_order_lines AS summed_order_lines,
    blended_revenue AS summed_revenue
)
FROM blended_sums(DATE '-infinity', DATE 'infinity', true);
INSERT INTO search_parts BY NAME
SELECT * RENAME (
    searches AS summed_searches,
    searching_sessions AS summed_sessions,
    searches_clicked AS summed_clicked,
    searches_carted AS summed_carted,
    searches_bought AS summed_bought,
    search_clicks AS summed_search_clicks,
    search_click_positions AS summed_positions,
    search_lines AS summed_lines,
    search_revenue AS summed_search_revenue
)
FROM search_sums(DATE '-infinity', DATE 'infinity', true);

-- Grain: one row per search term, of people, and what followed each search (Q2). The first 5,000.
WITH by_currency AS (
    SELECT
        search_term, currency,
        sum(searches) AS searches, sum(searches_without_click) AS searches_without_click,
        sum(searches_clicked) AS searches_clicked, sum(searches_carted) AS searches_carted,
        sum(searches_bought) AS searches_bought, sum(search_clicks) AS search_clicks,
        sum(search_click_positions) AS search_click_positions, sum(search_revenue) AS amount
    FROM searches(getvariable('first'), getvariable('last'))
    GROUP BY ALL
)

SELECT
    search_term,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(searches_without_click) AS BIGINT) AS searches_without_click,
    sum(searches_clicked) / nullif(sum(searches), 0) AS share_clicked,
    CAST(sum(searches_carted) AS BIGINT) AS searches_carted,
    CAST(sum(searches_bought) AS BIGINT) AS searches_bought,
    sum(searches_bought) / nullif(sum(searches), 0) AS share_bought,
    sum(search_click_positions) / nullif(sum(search_clicks), 0) AS mean_click_position,
    list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
        FILTER (WHERE amount IS NOT NULL AND currency IS NOT NULL) AS search_revenue
FROM by_currency
GROUP BY search_term
ORDER BY searches DESC, search_term
LIMIT 5000;

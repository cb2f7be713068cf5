-- Which searches lead to a purchase? Optional: $store, $first, $last. The first 20 per store.
-- Clicks, carts and purchases count until the session's next search.
SELECT
    store_id,
    search_term,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(searches_clicked) AS BIGINT) AS searches_clicked,
    CAST(sum(searches_carted) AS BIGINT) AS searches_carted,
    CAST(sum(searches_bought) AS BIGINT) AS searches_bought,
    round(100.0 * sum(searches_bought) / nullif(sum(searches), 0), 2) AS searches_bought_percent
FROM searches(
    CAST(coalesce($first, '-infinity') AS DATE), CAST(coalesce($last, 'infinity') AS DATE)
)
WHERE ($store IS NULL OR store_id = $store)
GROUP BY store_id, search_term
QUALIFY row_number() OVER (
    PARTITION BY store_id
    ORDER BY sum(searches_bought) DESC, sum(searches_carted) DESC, sum(searches) DESC, search_term
) <= 20
ORDER BY store_id, searches_bought DESC, searches_carted DESC, searches DESC, search_term;

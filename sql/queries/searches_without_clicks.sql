-- Which searches lead to no click? Optional: $store, $first, $last. The first 20 per store.
-- A click counts until the session's next search.
SELECT
    store_id,
    search_term,
    CAST(sum(searches) AS BIGINT) AS searches,
    CAST(sum(searches_without_click) AS BIGINT) AS searches_without_click,
    round(100.0 * sum(searches_without_click) / sum(searches), 2) AS without_click_percent
FROM searches(
    CAST(coalesce($first, '-infinity') AS DATE), CAST(coalesce($last, 'infinity') AS DATE)
)
WHERE ($store IS NULL OR store_id = $store)
GROUP BY store_id, search_term
HAVING sum(searches_without_click) > 0
QUALIFY row_number() OVER (
    PARTITION BY store_id ORDER BY sum(searches_without_click) DESC, sum(searches), search_term
) <= 20
ORDER BY store_id, searches_without_click DESC, searches, search_term;

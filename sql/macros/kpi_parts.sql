-- Grain: one row per `grain`, name, and the part of `blended_days` that belongs to it. A product or
-- position has its own impressions, anything else those of (session, token).
CREATE OR REPLACE MACRO kpi_parts(first_day, last_day) AS TABLE
SELECT
    store_id, day, is_bot, currency, blended_impressions, blended_clicks, blended_add_to_carts,
    blended_order_lines, blended_revenue, grain, name
FROM (
    SELECT
        *,
        unnest(CASE shows
            WHEN 'token' THEN [
                {'grain': 'all_tokens', 'name': store_id},
                {'grain': 'token', 'name': attribution_token},
                {'grain': 'block', 'name': block_id},
                {'grain': 'collection', 'name': collection_handle},
                {'grain': 'query', 'name': search_term}
            ]
            ELSE [
                {'grain': 'product', 'name': CAST(product_id AS VARCHAR)},
                {'grain': 'position', 'name': CAST(position AS VARCHAR)}
            ]
        END, recursive := true)
    FROM blended_days(first_day, last_day)
)
WHERE name IS NOT NULL;

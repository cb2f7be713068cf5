-- Grain: one row per `grain`, name, and the part of `blended` that belongs to it. A product or
-- position has its own impressions, anything else those of (session, token).
CREATE OR REPLACE MACRO kpi_parts(first_day, last_day) AS TABLE
SELECT * FROM (
    SELECT
        b.* EXCLUDE (tokens_shown, products_shown, product_id, position),
        unnest([
            {'grain': 'all_tokens', 'name': store_id, 'blended_impressions': tokens_shown},
            {'grain': 'token', 'name': attribution_token, 'blended_impressions': tokens_shown},
            {'grain': 'block', 'name': block_id, 'blended_impressions': tokens_shown},
            {'grain': 'collection', 'name': collection_handle, 'blended_impressions': tokens_shown},
            {'grain': 'query', 'name': search_term, 'blended_impressions': tokens_shown},
            {'grain': 'product', 'name': CAST(product_id AS VARCHAR), 'blended_impressions': products_shown},
            {'grain': 'position', 'name': CAST(position AS VARCHAR), 'blended_impressions': products_shown}
        ], recursive := true)
    FROM blended(first_day, last_day) AS b
)
WHERE name IS NOT NULL;

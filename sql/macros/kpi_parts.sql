-- Grain: one row per `grain`, name, and the part of `blended` that belongs to it. A product or
-- position has its own impressions, anything else those of (session, token).
CREATE OR REPLACE MACRO kpi_parts(first_day, last_day) AS TABLE
SELECT * FROM (
    SELECT
        b.* EXCLUDE (shown, impressions, product_id, position),
        unnest([
            {'grain': 'store', 'name': store_id, 'impressions': shown},
            {'grain': 'token', 'name': attribution_token, 'impressions': shown},
            {'grain': 'block', 'name': block_id, 'impressions': shown},
            {'grain': 'collection', 'name': collection_handle, 'impressions': shown},
            {'grain': 'query', 'name': search_term, 'impressions': shown},
            {'grain': 'product', 'name': CAST(product_id AS VARCHAR), 'impressions': impressions},
            {'grain': 'position', 'name': CAST(position AS VARCHAR), 'impressions': impressions}
        ], recursive := true)
    FROM blended(first_day, last_day) AS b
)
WHERE name IS NOT NULL;

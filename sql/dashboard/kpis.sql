-- Grain: one row per `grain` (token, block, collection) and name, of people: blended KPIs (B1-B4). A token stands
-- for a block, else a collection, else a search: by its title, if the catalog has one, as the token itself. The title of
-- a block or collection is its name where the catalog has none. The first 5,000 of each grain.
WITH parts AS (
    SELECT
        currency,
        CASE
            WHEN block_id IS NOT NULL THEN {'kind': 'block', 'id': block_id}
            WHEN collection_handle IS NOT NULL THEN {'kind': 'collection', 'id': collection_handle}
            WHEN search_term IS NOT NULL THEN {'kind': 'search', 'id': search_term}
        END AS stands_for,
        blended_impressions, blended_clicks, blended_add_to_carts, blended_order_lines, blended_revenue,
        unnest([
            {'grain': 'token', 'name': attribution_token},
            {'grain': 'block', 'name': block_id},
            {'grain': 'collection', 'name': collection_handle}
        ], recursive := true)
    FROM shown
    WHERE shows = 'token' AND NOT is_bot
),

by_currency AS (
    SELECT
        grain, name, currency,
        min(stands_for) AS stands_for,
        sum(blended_impressions) AS blended_impressions,
        sum(blended_clicks) AS blended_clicks,
        sum(blended_add_to_carts) AS blended_add_to_carts,
        sum(blended_order_lines) AS blended_order_lines,
        sum(blended_revenue) AS amount
    FROM parts
    WHERE name IS NOT NULL
    GROUP BY ALL
),

found AS (
    SELECT
        grain, name, min(stands_for) AS stands_for,
        CAST(sum(blended_impressions) AS BIGINT) AS blended_impressions,
        sum(blended_clicks) AS blended_clicks,
        sum(blended_clicks) / nullif(sum(blended_impressions), 0) AS click_through_rate,
        sum(blended_add_to_carts) AS blended_add_to_carts,
        sum(blended_order_lines) AS blended_order_lines,
        sum(blended_order_lines) / nullif(sum(blended_impressions), 0) AS purchase_rate,
        list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
            FILTER (WHERE currency IS NOT NULL) AS blended_revenue
    FROM by_currency
    GROUP BY grain, name
    QUALIFY row_number() OVER (PARTITION BY grain ORDER BY sum(blended_impressions) DESC, name) <= 5000
)

SELECT
    f.* REPLACE (
        CASE WHEN f.grain = 'token' THEN coalesce(t.title, list.title, f.stands_for.id) END AS stands_for
    ),
    coalesce(t.title, f.name) AS title,
    t.title IS NOT NULL AS is_titled,
    t.url
FROM found AS f
LEFT JOIN titles AS t ON f.grain = t.kind AND f.name = t.id
LEFT JOIN titles AS list ON f.stands_for.kind = list.kind AND f.stands_for.id = list.id
ORDER BY f.grain, f.blended_impressions DESC, f.name;

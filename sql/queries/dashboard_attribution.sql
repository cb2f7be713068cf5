-- Conversions of $store from $first to $last, without bots. Grain: one row per type and match.
WITH by_currency AS (
    SELECT
        conversion_type, match, currency,
        sum(conversions) AS conversions, sum(attributed_revenue) AS revenue
    FROM attribution
    WHERE
        store_id = $store
        AND day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
    GROUP BY conversion_type, match, currency
),

by_match AS (
    SELECT
        conversion_type, match,
        sum(conversions) AS conversions,
        list({'currency': currency, 'revenue': revenue} ORDER BY currency)
            FILTER (WHERE currency IS NOT NULL) AS revenue
    FROM by_currency
    GROUP BY conversion_type, match
)

SELECT
    conversion_type, match,
    CAST(conversions AS BIGINT) AS conversions,
    conversions / sum(conversions) OVER (PARTITION BY conversion_type) AS share,
    revenue
FROM by_match
ORDER BY conversion_type DESC, list_position(['direct', 'carried', 'orphan', 'none'], match);

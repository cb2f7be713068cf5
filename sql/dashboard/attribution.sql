-- Grain: one row per conversion type and match, of people; by the last touch (A5), which all models share.
WITH by_currency AS (
    SELECT
        conversion_type, match, currency,
        sum(conversions) AS conversions, sum(attributed_revenue) AS amount
    FROM snapshot.main.attribution
    WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
        AND day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY ALL
)

SELECT
    conversion_type, match,
    CAST(sum(conversions) AS BIGINT) AS conversions,
    sum(conversions) / sum(sum(conversions)) OVER (PARTITION BY conversion_type) AS share,
    list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
        FILTER (WHERE currency IS NOT NULL) AS attributed_revenue
FROM by_currency
GROUP BY conversion_type, match
ORDER BY conversion_type DESC, list_position(['direct', 'carried', 'orphan', 'none'], match);

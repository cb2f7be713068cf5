-- Grain: one row per `grain` (store, channel, device, country, source, campaign) and name, of people; the name is NULL
-- where the session has none. An order is that of its session. The first 5,000 of each grain.
WITH visited AS (
    SELECT
        grain, name,
        CAST(sum(CASE WHEN is_report THEN 0 ELSE sessions END) AS BIGINT) AS sessions,
        CAST(sum(CASE WHEN is_report THEN 0 ELSE bought END) AS BIGINT) AS bought
    FROM (
        SELECT
            is_report, sessions, bought,
            unnest([
                {'grain': 'store', 'name': store_id},
                {'grain': 'channel', 'name': shopping_channel},
                {'grain': 'device', 'name': device_type},
                {'grain': 'country', 'name': country},
                {'grain': 'source', 'name': marketing_source},
                {'grain': 'campaign', 'name': marketing_campaign}
            ], recursive := true)
        FROM visits
        WHERE NOT is_bot AND day BETWEEN getvariable('first') AND getvariable('last')
    )
    GROUP BY ALL
),

sold AS (
    SELECT grain, name, currency, sum(revenue) AS amount, count(*) FILTER (WHERE counts_order) AS orders
    FROM (
        SELECT
            currency, revenue, counts_order,
            unnest([
                {'grain': 'store', 'name': store_id},
                {'grain': 'channel', 'name': shopping_channel},
                {'grain': 'device', 'name': device_type},
                {'grain': 'country', 'name': country},
                {'grain': 'source', 'name': marketing_source},
                {'grain': 'campaign', 'name': marketing_campaign}
            ], recursive := true)
        FROM sales
        WHERE NOT is_bot AND day BETWEEN getvariable('first') AND getvariable('last')
    )
    GROUP BY ALL
),

earned AS (
    SELECT
        grain, name, CAST(sum(orders) AS BIGINT) AS orders,
        list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
            FILTER (WHERE amount IS NOT NULL AND currency IS NOT NULL) AS gross_revenue
    FROM sold
    GROUP BY ALL
)

SELECT
    coalesce(v.grain, e.grain) AS grain,
    coalesce(v.name, e.name) AS name,
    coalesce(v.sessions, 0) AS sessions,
    v.bought / nullif(v.sessions, 0) AS conversion_rate,
    coalesce(e.orders, 0) AS orders,
    e.gross_revenue
FROM visited AS v
FULL JOIN earned AS e ON v.grain = e.grain AND v.name IS NOT DISTINCT FROM e.name
WHERE v.sessions > 0 OR e.orders > 0
QUALIFY row_number() OVER (PARTITION BY coalesce(v.grain, e.grain) ORDER BY v.sessions DESC, v.name, e.name) <= 5000
ORDER BY grain, sessions DESC, name;

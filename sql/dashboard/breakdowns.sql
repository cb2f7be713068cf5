-- Grain: one row per `grain` (store, channel, device, country, source, campaign) and name, of people; the name is NULL
-- where the session has none. An order is that of its session. The first 5,000 of each grain.
WITH chosen AS (
    SELECT
        store_id, shopping_channel, device_type, country, marketing_source, marketing_campaign,
        CAST(NULL AS VARCHAR) AS currency,
        count(*) AS sessions, count(*) FILTER (WHERE has_converted) AS bought,
        0 AS orders, CAST(NULL AS DECIMAL(38, 4)) AS amount
    FROM visits
    WHERE NOT is_bot AND NOT is_report AND day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY ALL
    UNION ALL
    SELECT
        l.store_id, shopping_channel, device_type, country, marketing_source, marketing_campaign, currency,
        0, 0, count(*) FILTER (WHERE counts_order), sum(revenue)
    FROM sales AS l
    LEFT JOIN (
        FROM sessions
        -- Days are the store's, times UTC: a zone is up to 14 hours ahead or 12 behind.
        WHERE ended_at >= getvariable('first') - INTERVAL 14 HOURS
            AND started_at < getvariable('last') + INTERVAL 36 HOURS
    ) AS s
        ON l.store_id = s.store_id
        AND l.device_key = s.device_key
        AND l.session_id = s.session_id
        AND l.occurred_at BETWEEN s.started_at AND s.ended_at
    WHERE NOT l.is_bot AND l.day BETWEEN getvariable('first') AND getvariable('last')
    GROUP BY ALL
),

by_currency AS (
    SELECT
        grain, name, currency,
        sum(sessions) AS sessions, sum(bought) AS bought, sum(orders) AS orders, sum(amount) AS amount
    FROM (
        SELECT
            currency, sessions, bought, orders, amount,
            unnest([
                {'grain': 'store', 'name': store_id},
                {'grain': 'channel', 'name': shopping_channel},
                {'grain': 'device', 'name': device_type},
                {'grain': 'country', 'name': country},
                {'grain': 'source', 'name': marketing_source},
                {'grain': 'campaign', 'name': marketing_campaign}
            ], recursive := true)
        FROM chosen
    )
    GROUP BY ALL
)

SELECT
    grain, name,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    sum(bought) / nullif(sum(sessions), 0) AS conversion_rate,
    CAST(sum(orders) AS BIGINT) AS orders,
    list({'currency': currency, 'amount': amount} ORDER BY amount DESC, currency)
        FILTER (WHERE amount IS NOT NULL AND currency IS NOT NULL) AS gross_revenue
FROM by_currency
GROUP BY grain, name
HAVING sum(sessions) > 0 OR sum(orders) > 0
QUALIFY row_number() OVER (PARTITION BY grain ORDER BY sum(sessions) DESC, name) <= 5000
ORDER BY grain, sessions DESC, name;

-- Grain: one row per value that a filter may have on the days shown, whatever is chosen; NULL where there is none. The
-- two hundred most frequent of each.
WITH named AS (
    SELECT
        unnest([
            {'filter': 'channel', 'option': shopping_channel},
            {'filter': 'device', 'option': device_type},
            {'filter': 'country', 'option': country},
            {'filter': 'source', 'option': marketing_source},
            {'filter': 'campaign', 'option': marketing_campaign}
        ], recursive := true),
        sessions
    FROM (
        SELECT
            shopping_channel, device_type, country, marketing_source, marketing_campaign, count(*) AS sessions
        FROM snapshot.main.sessions
        WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
            AND day BETWEEN getvariable('first') AND getvariable('last')
        GROUP BY ALL
    )
)

SELECT filter, option
FROM named
GROUP BY filter, option
QUALIFY row_number() OVER (PARTITION BY filter ORDER BY sum(sessions) DESC, option) <= 200
ORDER BY filter, option IS NULL, sum(sessions) DESC, option;

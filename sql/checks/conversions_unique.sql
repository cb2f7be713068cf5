-- One row per conversion, session and path step: without primary keys this is kept by the loader.
SELECT 'conversions' AS tables, conversion_key AS key, count(*) AS times
FROM conversion_facts GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT 'sessions', session_key, count(*) FROM sessions GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT 'conversion_touches', any_value(conversion_key), count(*)
FROM conversion_touches GROUP BY conversion_key, position HAVING count(*) > 1;

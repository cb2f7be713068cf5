-- What do the campaigns bring? Optional: $store, $first, $last.
-- Sessions stand in the row without a currency. Revenue is that of the sessions that began with the campaign.
SELECT
    store_id,
    marketing_source,
    marketing_medium,
    marketing_campaign,
    currency,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(converted) AS BIGINT) AS converted,
    sum(session_gross_revenue) AS session_gross_revenue
FROM campaigns
WHERE ($store IS NULL OR store_id = $store)
    AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
GROUP BY ALL
ORDER BY ALL;

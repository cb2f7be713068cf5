-- Is $token clicked more often than $other? Optional: $store, $first, $last.
-- Of the devices that were shown a token, the share that clicked it. The difference, in percentage points, lies
-- between the bounds with 95 % confidence, by Newcombe's method: it combines the Wilson intervals of the two shares. So
-- it holds for small shares and few devices, for which the usual interval (p ± 1.96 standard errors) is too narrow.
-- Devices and not sessions, because visits of one device are alike. If the bounds enclose 0, no difference is shown.
WITH met AS (
    SELECT
        store_id, device_key, attribution_token = $token AS is_first,
        bool_or(event_type = 'product_click') AS has_clicked
    FROM events
    WHERE NOT is_bot AND NOT is_prefetch
        AND attribution_token IN ($token, $other)
        AND event_type IN ('block_view', 'product_impression', 'collection_view', 'search', 'product_click')
        AND ($store IS NULL OR store_id = $store)
        AND day BETWEEN CAST(coalesce($first, '-infinity') AS DATE) AND CAST(coalesce($last, 'infinity') AS DATE)
    GROUP BY ALL
    HAVING bool_or(event_type <> 'product_click')
),

counted AS (
    SELECT
        store_id,
        count(*) FILTER (WHERE is_first) AS n,
        count(*) FILTER (WHERE is_first AND has_clicked) / nullif(count(*) FILTER (WHERE is_first), 0) AS p,
        count(*) FILTER (WHERE NOT is_first) AS m,
        count(*) FILTER (WHERE NOT is_first AND has_clicked) / nullif(count(*) FILTER (WHERE NOT is_first), 0) AS q,
        1.959963984540054 AS z
    FROM met
    GROUP BY store_id
),

wilson AS (
    SELECT
        *,
        (p + z * z / (2 * n)) / (1 + z * z / n) AS p_middle,
        z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n) AS p_half,
        (q + z * z / (2 * m)) / (1 + z * z / m) AS q_middle,
        z * sqrt(q * (1 - q) / m + z * z / (4 * m * m)) / (1 + z * z / m) AS q_half
    FROM counted
    WHERE n > 0 AND m > 0
)

SELECT
    store_id,
    n AS token_devices,
    m AS other_devices,
    round(100 * p, 2) AS token_clicked_percent,
    round(100 * q, 2) AS other_clicked_percent,
    round(100 * (p - q), 2) AS difference_points,
    round(100 * (
        p - q - sqrt((p - p_middle + p_half) ** 2 + (q_middle + q_half - q) ** 2)
    ), 2) AS difference_low,
    round(100 * (
        p - q + sqrt((p_middle + p_half - p) ** 2 + (q - q_middle + q_half) ** 2)
    ), 2) AS difference_high
FROM wilson
ORDER BY store_id;

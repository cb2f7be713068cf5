-- Each device with a late event that can still reach its rows is known, and until when (T7).
WITH recomputed AS (
    SELECT store_id, device_key, partition, max(reaches) AS reaches
    FROM (
        SELECT store_id, device_key, partition, ended_at + gap AS reaches
        FROM sessions CROSS JOIN rules
        WHERE has_late
        UNION ALL
        SELECT store_id, device_key, partition, occurred_at + lookback
        FROM events CROSS JOIN rules
        WHERE is_late AND is_touch(event_type, attribution_token, is_prefetch)
    )
    GROUP BY ALL
),

reaching AS (
    SELECT recomputed.*
    FROM recomputed JOIN ledger USING (partition) CROSS JOIN rules
    WHERE reaches >= stream_time - lateness
)

SELECT 'only stored' AS side, * FROM (FROM late_devices EXCEPT ALL FROM reaching)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM reaching EXCEPT ALL FROM late_devices);

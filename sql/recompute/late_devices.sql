-- Grain: one row per device with a late event in `source` that can still reach rows, with the sessions in
-- `session_rows` (T7): a session can grow until its end plus the gap, a touch claims for a lookback.
CREATE OR REPLACE TEMP MACRO recompute_late_devices(source, session_rows) AS TABLE
WITH reached AS (
    SELECT store_id, device_key, partition, ended_at + (SELECT gap FROM rules) AS reaches
    FROM query_table(session_rows)
    WHERE has_late
    UNION ALL
    SELECT store_id, device_key, partition, occurred_at + (SELECT lookback FROM rules)
    FROM query_table(source)
    WHERE is_late AND is_touch(event_type, attribution_token, is_prefetch)
)

SELECT store_id, device_key, partition, max(reaches) AS reaches
FROM reached
JOIN ledger USING (partition)
GROUP BY store_id, device_key, partition
HAVING max(reaches) >= max(ledger.stream_time) - (SELECT lateness FROM rules);

-- Until when each late event can still reach rows of its device: its session can grow until its end plus the
-- gap, and its touch claims conversions for a lookback. A session that is here only for its order lines reaches
-- no further than before: its device may be forgotten.
MERGE INTO late_devices AS held
USING (
    SELECT store_id, device_key, partition, max(reaches) AS reaches
    FROM (
        SELECT store_id, device_key, partition, ended_at + (SELECT gap FROM rules) AS reaches
        FROM new_sessions SEMI JOIN merged_devices USING (store_id, device_key)
        WHERE has_late
        UNION ALL
        SELECT store_id, device_key, partition, occurred_at + (SELECT lookback FROM rules)
        FROM merged_events
        WHERE is_late AND is_touch(event_type, attribution_token, is_prefetch)
    )
    GROUP BY ALL
) AS new
    ON held.store_id = new.store_id AND held.device_key = new.device_key AND held.partition = new.partition
WHEN MATCHED THEN UPDATE SET reaches = greatest(held.reaches, new.reaches)
WHEN NOT MATCHED THEN INSERT;

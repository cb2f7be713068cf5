-- Grain: one row per device with keys that an event on time may repeat (D2, D4), in whichever partition it
-- comes: the threshold is the furthest one. T3 may have moved an event by up to 26 hours, and its copy less:
-- its key is kept so much longer.
SELECT
    store_id,
    device_key,
    list(event_key) AS keys,
    list(epoch_ms(kept_until)) AS kept_until,
    list(fingerprint) AS fingerprints
FROM (
    SELECT
        *,
        CASE WHEN is_clock_skewed THEN occurred_at + INTERVAL 26 HOURS ELSE occurred_at END
            AS kept_until
    FROM events
    WHERE occurred_at >= (SELECT max(stream_time) - INTERVAL 26 HOURS FROM ledger) - $lateness
)
WHERE kept_until >= (SELECT max(stream_time) FROM ledger) - $lateness
GROUP BY ALL;

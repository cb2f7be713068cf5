-- Grain: one row per store and day of arrival. Events kept, dropped, rejected, expired, late and skewed;
-- `quality_fields` has it by field. Duplicates and rejected events count for as long as they are kept.
WITH parts AS (
    SELECT
        store_id, received_day AS day, arrivals AS received, 0 AS duplicates, 0 AS conflicts, 0 AS rejected, 0 AS expired,
        late_arrivals AS late, skewed_arrivals AS skewed, bot_arrivals AS bots, server_arrivals AS servers,
        prefetched_arrivals AS prefetched, repaired_arrivals AS repaired, minute_arrivals AS in_a_minute,
        hour_arrivals AS in_an_hour, day_arrivals AS in_a_day
    FROM daily_arrivals
    WHERE field IS NULL
    UNION ALL
    SELECT
        store_id, received_day, 0, 1, CAST(kind = 'conflict' AS INTEGER), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM duplicates
    UNION ALL
    SELECT store_id, received_day, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM rejected_events
    UNION ALL
    SELECT store_id, day, 0, 0, 0, 0, expired_events, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM daily_expired
)

SELECT
    store_id, day,
    CAST(sum(received) AS BIGINT) AS received_events,
    CAST(sum(duplicates) AS BIGINT) AS duplicates,
    CAST(sum(conflicts) AS BIGINT) AS conflicts,
    CAST(sum(rejected) AS BIGINT) AS rejected_events,
    CAST(sum(expired) AS BIGINT) AS expired_events,
    CAST(sum(late) AS BIGINT) AS late_events,
    CAST(sum(skewed) AS BIGINT) AS clock_skewed_events,
    CAST(sum(bots) AS BIGINT) AS received_bot_events,
    CAST(sum(servers) AS BIGINT) AS received_server_events,
    CAST(sum(prefetched) AS BIGINT) AS received_prefetched_events,
    CAST(sum(repaired) AS BIGINT) AS repaired_events,
    CAST(sum(in_a_minute) AS BIGINT) AS received_in_a_minute,
    CAST(sum(in_an_hour) AS BIGINT) AS received_in_an_hour,
    CAST(sum(in_a_day) AS BIGINT) AS received_in_a_day
FROM parts
GROUP BY store_id, day;

-- What arrived, by day of arrival (decision 0039). In the rows of a field only `field_arrivals` counts.
CREATE TABLE daily_arrivals (
    store_id            VARCHAR NOT NULL,
    day                 DATE NOT NULL,
    received_day        DATE,
    field               VARCHAR,
    outcome             VARCHAR,
    reason              VARCHAR,
    arrivals            BIGINT NOT NULL,
    late_arrivals       BIGINT NOT NULL,
    skewed_arrivals     BIGINT NOT NULL,
    bot_arrivals        BIGINT NOT NULL,
    server_arrivals     BIGINT NOT NULL,
    prefetched_arrivals BIGINT NOT NULL,
    repaired_arrivals   BIGINT NOT NULL,
    minute_arrivals     BIGINT NOT NULL,
    hour_arrivals       BIGINT NOT NULL,
    day_arrivals        BIGINT NOT NULL,
    field_arrivals      BIGINT NOT NULL
);

-- A new database has no archive, and no such view.
CREATE VIEW IF NOT EXISTS events AS FROM hot_events;

INSERT INTO daily_arrivals
SELECT
    store_id, day, received_day, NULL, NULL, NULL,
    count(*),
    count(*) FILTER (WHERE is_late),
    count(*) FILTER (WHERE is_clock_skewed),
    count(*) FILTER (WHERE is_bot),
    count(*) FILTER (WHERE is_server),
    count(*) FILTER (WHERE is_prefetch),
    count(repairs),
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 1 MINUTE),
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 1 HOUR),
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 1 DAY),
    0
FROM events
GROUP BY ALL
ORDER BY day;

INSERT INTO daily_arrivals
SELECT
    store_id, day, received_day,
    split_part(repair, ': ', 1),
    CASE WHEN split_part(repair, ': ', 2) IN ('respelled', 'rounded') THEN 'repaired' ELSE 'ignored' END,
    split_part(repair, ': ', 2),
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, count(*)
FROM (
    SELECT store_id, day, received_day, unnest(list_distinct(repairs)) AS repair
    FROM events
    WHERE repairs IS NOT NULL
)
GROUP BY ALL
ORDER BY day;

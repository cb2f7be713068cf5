-- A time of day in a store (T10): `moment` in UTC as the clocks of `zone` show it. Scalar macros. DuckDB's own
-- zones, and no reader's TimeZone. Without the cast, milliseconds of the year 1 would become nanoseconds and fail.
CREATE OR REPLACE TEMP MACRO time_in(zone, moment) AS
    CASE zone WHEN 'UTC' THEN moment ELSE timezone(zone, timezone('UTC', CAST(moment AS TIMESTAMP))) END;

-- 16 hexadecimal digits of what DuckDB knows of a zone: its offset in every week of fifty years. A series of
-- TIMESTAMPTZ would take its steps in the session's own zone.
CREATE OR REPLACE TEMP MACRO zone_digest(zone) AS (
    SELECT substr(sha256(string_agg(CAST(epoch_ms(timezone(zone, week)) AS VARCHAR), ' ' ORDER BY week)), 1, 16)
    FROM (
        SELECT timezone('UTC', unnest(generate_series(
            TIMESTAMP '1990-01-01', TIMESTAMP '2040-01-01', INTERVAL 7 DAYS
        ))) AS week
    )
);

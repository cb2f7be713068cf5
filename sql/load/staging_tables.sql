-- The temporary tables of one loader connection, created once: what a transaction brings (`in_…`),
-- what of it is new, and which rows are added and removed because of it.
CREATE TEMP TABLE in_events AS SELECT *, 0 AS place FROM hot_events WITH NO DATA;
CREATE TEMP TABLE in_duplicates AS FROM duplicates WITH NO DATA;
CREATE TEMP TABLE in_rejected AS FROM rejected_events WITH NO DATA;
CREATE TEMP TABLE in_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE in_gone AS SELECT store_id, device_key, session_key, started_at FROM sessions WITH NO DATA;
CREATE TEMP TABLE in_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE in_conversion_touches AS SELECT *, '' AS device_key FROM conversion_touches WITH NO DATA;
CREATE TEMP TABLE in_ledger AS FROM ledger WITH NO DATA;
CREATE TEMP TABLE in_positions AS FROM positions WITH NO DATA;
-- One row per device of the transaction; `horizon` is the lateness threshold that the first of
-- its records was judged by, NULL where the partition had no stream time yet.
CREATE TEMP TABLE in_devices (
    store_id VARCHAR, device_key VARCHAR, partition INTEGER, horizon TIMESTAMP,
    missing_until TIMESTAMP
);

CREATE TEMP TABLE fresh AS FROM hot_events WITH NO DATA;
CREATE TEMP TABLE no_events AS FROM hot_events WITH NO DATA;
CREATE TEMP TABLE late_candidates AS SELECT *, 0 AS place, '' AS repeats FROM hot_events WITH NO DATA;

-- The orders of new lines: what stands of them, what all of their events report, and what then counts.
CREATE TEMP TABLE competing_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE order_reports AS FROM reported_lines('no_events') WITH NO DATA;
CREATE TEMP TABLE settled_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE new_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE old_lines AS FROM order_lines WITH NO DATA;

CREATE TEMP TABLE min_horizon (horizon TIMESTAMP);
CREATE TEMP TABLE open_sessions AS
SELECT
    store_id, device_key, session_id, started_at, ended_at, NULL::TIMESTAMP AS missing_until
FROM sessions WITH NO DATA;
CREATE TEMP TABLE recomputed_devices (store_id VARCHAR, device_key VARCHAR);
CREATE TEMP TABLE recomputed_events AS FROM hot_events WITH NO DATA;

CREATE TEMP TABLE new_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE old_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE recounted_sessions AS FROM sessions WITH NO DATA;
-- Order lines within the time of `new_sessions`.
CREATE TEMP TABLE lines_near AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE new_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE old_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE new_conversion_touches AS FROM conversion_touches WITH NO DATA;

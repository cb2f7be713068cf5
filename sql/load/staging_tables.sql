-- The temporary tables of one loader connection, created once: what a transaction brings (`in_…`),
-- what of it is new, and which rows are added and removed because of it.
CREATE TEMP TABLE in_events AS SELECT *, 0 AS place FROM hot_events WITH NO DATA;
CREATE TEMP TABLE in_duplicates AS FROM duplicates WITH NO DATA;
CREATE TEMP TABLE in_rejected AS FROM rejected_events WITH NO DATA;
CREATE TEMP TABLE in_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE in_gone AS SELECT store_id, device_key, session_key, started_at FROM sessions WITH NO DATA;
CREATE TEMP TABLE in_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE in_conversion_touches AS SELECT *, '' AS device_key FROM conversion_touches WITH NO DATA;
-- `dropped_until` is the latest event on time that the stream counts and the warehouse does not take (E2).
CREATE TEMP TABLE in_ledger AS SELECT *, stream_time AS dropped_until FROM ledger WITH NO DATA;
CREATE TEMP TABLE in_positions AS FROM positions WITH NO DATA;
-- One row per device of the transaction; `horizon` is the lateness threshold that the first of
-- its records was judged by, NULL where the partition had no stream time yet.
CREATE TEMP TABLE in_devices (
    store_id VARCHAR, device_key VARCHAR, partition INTEGER, horizon TIMESTAMP
);

CREATE TEMP TABLE no_events AS FROM in_events WITH NO DATA;
CREATE TEMP TABLE late_candidates AS SELECT *, '' AS repeats FROM in_events WITH NO DATA;

-- The orders of new lines: what stands of them, what all of their events report, and what then counts.
CREATE TEMP TABLE competing_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE order_reports AS FROM reported_lines('no_events') WITH NO DATA;
CREATE TEMP TABLE orders_to_confirm AS SELECT store_id, order_id FROM order_lines WITH NO DATA;
CREATE TEMP TABLE settled_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE new_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE old_lines AS FROM order_lines WITH NO DATA;

-- Devices whose rows the stream cannot know, their new events, the sessions that these are by themselves,
-- and the sessions that they touch.
CREATE TEMP TABLE merged_devices (store_id VARCHAR, device_key VARCHAR);
CREATE TEMP TABLE merged_events AS FROM hot_events WITH NO DATA;
CREATE TEMP TABLE added_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE reached_sessions AS FROM sessions WITH NO DATA;

CREATE TEMP TABLE new_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE old_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE recounted_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE old_revenue AS FROM session_revenue WITH NO DATA;

-- Of merged devices: conversions that are new or may have another path, and the touches of their lookbacks.
CREATE TEMP TABLE affected_conversions AS FROM conversions_in('no_events') WITH NO DATA;
CREATE TEMP TABLE near_touches AS FROM touches WITH NO DATA;
CREATE TEMP TABLE paths AS FROM paths_of('affected_conversions', 'near_touches') WITH NO DATA;
CREATE TEMP TABLE new_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE old_conversions AS FROM conversion_facts WITH NO DATA;
CREATE TEMP TABLE new_conversion_touches AS FROM conversion_touches WITH NO DATA;

-- Sessions to take out of, or to add to, the sums by day, what these are made of, and what they come to.
CREATE TEMP TABLE summed_sessions AS FROM sessions WITH NO DATA;
CREATE TEMP TABLE summed_events AS FROM events WITH NO DATA;
CREATE TEMP TABLE summed_lines AS FROM order_lines WITH NO DATA;
CREATE TEMP TABLE blended_parts AS FROM summed_blended WITH NO DATA;
CREATE TEMP TABLE search_parts AS FROM summed_searches WITH NO DATA;

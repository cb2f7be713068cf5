-- What has not gone with its time (T11): all is kept while `retention` has no row.
CREATE OR REPLACE TEMP MACRO is_kept(occurred_at) AS
    coalesce(occurred_at >= (SELECT derived_from FROM retention), true);

-- A late event may extend a session until then.
CREATE OR REPLACE TEMP MACRO is_kept_session(ended_at) AS is_kept(ended_at + (SELECT gap FROM rules));

-- A conversion may be claimed until then.
CREATE OR REPLACE TEMP MACRO is_kept_touch(touched_at) AS is_kept(touched_at + (SELECT lookback FROM rules));

-- A day of which every row is kept, in whatever zone: a sum over its rows is whole.
CREATE OR REPLACE TEMP MACRO is_whole_day(day) AS
    coalesce(day > (SELECT CAST(derived_from AS DATE) FROM retention), true);

-- The reports that go together: of one order, or an event that names none.
CREATE OR REPLACE TEMP MACRO order_key_of(store_id, order_id, event_key, occurred_at) AS key_of(
    netstring(store_id) || coalesce('order:' || order_id, 'event:' || event_key || epoch_ms(occurred_at))
);

-- What can be recomputed: what was made of events that have gone stays as it was.
CREATE OR REPLACE TEMP MACRO has_events(since) AS
    coalesce(since >= (SELECT events_from FROM retention), true);

-- The first event that is left may have had a neighbour before.
CREATE OR REPLACE TEMP MACRO has_events_of_session(started_at) AS
    has_events(started_at - (SELECT gap FROM rules));

CREATE OR REPLACE TEMP MACRO has_events_of_conversion(occurred_at) AS
    has_events(occurred_at - (SELECT lookback FROM rules));

-- The orders of which a report has gone.
CREATE OR REPLACE TEMP VIEW settled_orders AS
SELECT DISTINCT order_key_of(store_id, order_id, event_key, occurred_at) AS order_key
FROM order_lines
WHERE NOT has_events(occurred_at);

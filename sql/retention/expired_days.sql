-- What follows from events before `cut`, a variable of the connection, goes (T11): sessions that no event can
-- reach any more, touches that can claim nothing, add_to_carts, and orders of which all reports lie before it.
-- A second time it changes nothing, unless rules have changed.
SET VARIABLE sessions_from = (SELECT getvariable('cut') - gap FROM rules);
SET VARIABLE touches_from = (SELECT getvariable('cut') - lookback FROM rules);

CREATE OR REPLACE TEMP TABLE sessions_across AS
FROM sessions
WHERE started_at < getvariable('cut') AND ended_at >= getvariable('sessions_from');

CREATE OR REPLACE TEMP TABLE lines_before AS
SELECT *, order_key_of(store_id, order_id, event_key, occurred_at) AS order_key
FROM order_lines
WHERE occurred_at < getvariable('cut');

-- An order stays with its latest report, so that no repeat of it becomes the one that counts (A9), and with the
-- session that counts it.
CREATE OR REPLACE TEMP TABLE orders_across AS
SELECT held.order_key
FROM lines_before AS held
SEMI JOIN (
    SELECT store_id, order_id
    FROM order_lines
    WHERE occurred_at >= getvariable('cut') AND order_hash IN (SELECT order_hash FROM lines_before)
) AS later ON held.store_id = later.store_id AND held.order_id = later.order_id
UNION
SELECT held.order_key
FROM lines_before AS held
SEMI JOIN sessions_across AS across
    ON held.store_id = across.store_id
    AND held.device_key = across.device_key
    AND held.session_id = across.session_id
    AND held.occurred_at BETWEEN across.started_at AND across.ended_at;

CREATE OR REPLACE TEMP TABLE lines_gone AS
FROM lines_before ANTI JOIN orders_across USING (order_key);

INSERT INTO expired_orders SELECT DISTINCT order_key FROM lines_gone;

DELETE FROM order_lines
WHERE occurred_at < getvariable('cut')
    AND (event_key, occurred_at, line) IN (SELECT (event_key, occurred_at, line) FROM lines_gone);

DELETE FROM conversion_facts
WHERE occurred_at < getvariable('cut')
    AND (
        conversion_type = 'add_to_cart'
        OR (event_key, occurred_at, line) IN (SELECT (event_key, occurred_at, line) FROM lines_gone)
    );

DELETE FROM conversion_touches
WHERE occurred_at < getvariable('cut')
    AND conversion_key NOT IN (
        SELECT conversion_key FROM conversion_facts WHERE occurred_at < getvariable('cut')
    );

DELETE FROM touches WHERE touched_at < getvariable('touches_from');

DELETE FROM unsummed_sessions
WHERE session_key IN (SELECT session_key FROM sessions WHERE ended_at < getvariable('sessions_from'));

DELETE FROM sessions WHERE ended_at < getvariable('sessions_from');

DELETE FROM session_revenue
WHERE started_at < getvariable('cut')
    AND session_key NOT IN (SELECT session_key FROM sessions_across);

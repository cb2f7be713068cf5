-- Every conversion, its match and its last touch equal a recompute (A1-A6, A9).
WITH stored AS (FROM conversions),

recomputed AS (
    SELECT
        store_id, conversion_key, event_key, line, conversion_type, occurred_at, device_key,
        session_id, product_id, variant_id, quantity, revenue, currency, match,
        attribution_token, last_touch_token, touches, is_bot
    FROM recompute_conversions('events')
    ANTI JOIN (
        SELECT event_key, occurred_at, line
        FROM recompute_order_lines('events') WHERE is_repeated
    ) USING (event_key, occurred_at, line)
)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM recomputed)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM recomputed EXCEPT ALL FROM stored);

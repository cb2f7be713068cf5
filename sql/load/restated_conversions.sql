-- Conversions of merged devices that a new touch may claim (A3, A6).
INSERT INTO affected_conversions BY NAME
SELECT
    * EXCLUDE (match, last_touch_token, touches, is_counted)
FROM (FROM conversion_facts WHERE near_merged_touches(occurred_at)) AS held
SEMI JOIN (FROM recompute_touches('merged_events')) AS new
    ON held.store_id = new.store_id
    AND held.device_key = new.device_key
    AND new.touched_at <= held.occurred_at
    AND new.touched_at + (SELECT lookback FROM rules) >= held.occurred_at;

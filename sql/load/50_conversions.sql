-- Conversions and their paths: new and restated ones of the stream (A6), recomputed ones of healed
-- devices, less those whose order line repeats (A9).
TRUNCATE new_conversions;
TRUNCATE old_conversions;
TRUNCATE new_conversion_touches;

INSERT INTO new_conversions
FROM in_conversions ANTI JOIN healed USING (store_id, device_key);
INSERT INTO new_conversions BY NAME FROM recompute_conversions('healed_events');
INSERT INTO new_conversion_touches
SELECT * EXCLUDE (device_key)
FROM in_conversion_touches ANTI JOIN healed USING (store_id, device_key);
INSERT INTO new_conversion_touches BY NAME FROM recompute_conversion_touches('healed_events');

INSERT INTO old_conversions
SELECT conversions.* FROM conversions
SEMI JOIN new_conversions USING (conversion_key)
WHERE occurred_at >= (SELECT min(occurred_at) FROM new_conversions);
INSERT INTO old_conversions
SELECT conversions.* FROM conversions
SEMI JOIN old_lines USING (event_key, occurred_at, line)
ANTI JOIN old_conversions USING (conversion_key)
WHERE occurred_at >= (SELECT min(occurred_at) FROM old_lines);

-- What repeats is known for the lines of this transaction and for those a restating brings back.
DELETE FROM new_conversions
WHERE conversion_type = 'purchase' AND (event_key, occurred_at, line) IN (
    SELECT (event_key, occurred_at, line) FROM order_lines
    WHERE is_repeated
        AND occurred_at >= (SELECT min(occurred_at) FROM new_conversions)
        AND occurred_at <= (SELECT max(occurred_at) FROM new_conversions)
);

DELETE FROM conversions
WHERE conversion_key IN (SELECT conversion_key FROM old_conversions)
    AND occurred_at >= (SELECT min(occurred_at) FROM old_conversions);
INSERT INTO conversions FROM new_conversions;

DELETE FROM conversion_touches
WHERE conversion_key IN (SELECT conversion_key FROM old_conversions)
    AND occurred_at >= (SELECT min(occurred_at) FROM old_conversions);
INSERT INTO conversion_touches
FROM new_conversion_touches SEMI JOIN new_conversions USING (conversion_key);

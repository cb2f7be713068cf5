-- Write conversions and paths, without those whose order line repeats (A9).
INSERT INTO old_conversions
SELECT conversions.* FROM conversions
SEMI JOIN new_conversions USING (conversion_key)
ANTI JOIN old_conversions USING (conversion_key)
WHERE occurred_at >= (SELECT min(occurred_at) FROM new_conversions);

-- A restated conversion may be of a repeated line of an earlier transaction.
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

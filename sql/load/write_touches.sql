-- Write the paths of new and restated conversions, in place of what they were.
DELETE FROM conversion_touches
WHERE conversion_key IN (SELECT conversion_key FROM new_conversions)
    AND occurred_at >= (SELECT min(occurred_at) FROM new_conversions);
INSERT INTO conversion_touches FROM new_conversion_touches;

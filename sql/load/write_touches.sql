-- Write the paths of new and restated conversions, in place of what they were.
DELETE FROM conversion_touches
WHERE near_new_conversions(occurred_at)
    AND conversion_key IN (SELECT conversion_key FROM new_conversions);
INSERT INTO conversion_touches FROM new_conversion_touches;

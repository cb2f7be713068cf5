-- A purchase whose order had gone has no line, and converts nothing (T11).
DELETE FROM new_conversions
WHERE conversion_type = 'purchase'
    AND conversion_key NOT IN (
        SELECT conversion_key FROM conversion_facts WHERE near_new_conversions(occurred_at)
        UNION ALL
        SELECT conversion_key_of(event_key, occurred_at, line) FROM new_lines
    );

DELETE FROM new_conversion_touches
WHERE conversion_key NOT IN (SELECT conversion_key FROM new_conversions);

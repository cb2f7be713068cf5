-- By the day of the conversion.
SELECT held.*, conversion_facts.day
FROM conversion_touches AS held JOIN conversion_facts USING (store_id, conversion_key)

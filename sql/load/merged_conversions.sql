-- Conversions and paths of merged devices, new and restated.
INSERT INTO near_touches
SELECT held.* FROM touches AS held
SEMI JOIN affected_conversions AS converted
    ON held.store_id = converted.store_id AND held.device_key = converted.device_key
WHERE near_lookbacks(held.touched_at);

INSERT INTO paths FROM paths_of('affected_conversions', 'near_touches');
INSERT INTO new_conversions BY NAME FROM conversions_of('paths');
INSERT INTO new_conversion_touches BY NAME FROM conversion_touches_of('paths');

-- Conversions and paths of recomputed devices, from `events`.
INSERT INTO new_conversions BY NAME FROM recompute_conversions('recomputed_events');
INSERT INTO new_conversion_touches BY NAME FROM recompute_conversion_touches('recomputed_events');

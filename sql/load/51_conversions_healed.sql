-- Conversions and paths of healed devices, from `events`.
-- If any: FROM healed
INSERT INTO new_conversions BY NAME FROM recompute_conversions('healed_events');
INSERT INTO new_conversion_touches BY NAME FROM recompute_conversion_touches('healed_events');

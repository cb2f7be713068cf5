-- Touches (A1).
INSERT INTO touches FROM recompute_touches('in_events');

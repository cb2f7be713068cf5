-- The events that stay, in place of what the transaction brought.
TRUNCATE in_events;
TRUNCATE in_sessions;
TRUNCATE in_gone;
TRUNCATE in_conversions;
TRUNCATE in_conversion_touches;
INSERT INTO in_events FROM kept_events;
INSERT INTO hot_events SELECT * EXCLUDE (place) FROM in_events;

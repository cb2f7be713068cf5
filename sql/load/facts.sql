-- New events.
INSERT INTO hot_events SELECT * EXCLUDE (place) FROM in_events;

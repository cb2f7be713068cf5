-- Facts, and the duplicates that the worker found.
INSERT INTO hot_events SELECT * EXCLUDE (place) FROM in_events;

INSERT INTO duplicates FROM in_duplicates;

-- Facts, and the duplicates that the worker found.
INSERT INTO fresh SELECT * EXCLUDE (place) FROM in_events WHERE NOT is_late;
INSERT INTO hot_events FROM fresh;

INSERT INTO duplicates FROM in_duplicates;

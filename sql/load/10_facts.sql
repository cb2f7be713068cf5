-- Facts, the worker's duplicates, and what was refused at the door or failed.
INSERT INTO fresh SELECT * EXCLUDE (place) FROM in_events WHERE NOT is_late;
INSERT INTO events FROM fresh;

INSERT INTO duplicates FROM in_duplicates;
INSERT INTO rejected_events FROM in_rejected;

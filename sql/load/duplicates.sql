-- The duplicates that the worker found.
INSERT INTO duplicates FROM in_duplicates;

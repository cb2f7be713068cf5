-- The length of a path (A5). A warehouse of an earlier version of the rules is refused anyway.
ALTER TABLE rules ADD COLUMN most_touches BIGINT;

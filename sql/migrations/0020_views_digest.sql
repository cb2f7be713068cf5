-- Says whether the views are those of this version: to create them all takes longer than the rest of an opening.
ALTER TABLE rules ADD COLUMN views_digest VARCHAR;

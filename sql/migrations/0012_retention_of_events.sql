-- `events` is whole from here on; NULL while none have gone. What was made of earlier ones stays as it was.
ALTER TABLE retention ADD COLUMN events_from TIMESTAMP;

-- The rows that the loader writes and reads often. `events` is a view over them from here on.
ALTER TABLE events RENAME TO hot_events;

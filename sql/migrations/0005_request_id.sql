-- With `index` the identity of an event refused at the door; NULL for one that failed, was read from a
-- file, or was refused by an earlier version.
ALTER TABLE rejected_events ADD COLUMN request_id UUID;

-- Where all that occurred before a day was erased: that day. `partition` and `offset` are then -1.
ALTER TABLE erasures ADD COLUMN before DATE;

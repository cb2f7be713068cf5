-- The half-life of the time decay model (A7): read by views alone, so it may change with the setting.
ALTER TABLE rules ADD COLUMN half_life INTERVAL;

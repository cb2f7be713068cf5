-- One row per erasure (E1), for ever: what is erased must not come back with a replay or a backfill.
CREATE TABLE erasures (
    -- Of store and device, by a key that is in no database. `key_hash` tells one key from another.
    device_hash VARCHAR NOT NULL,
    key_hash    VARCHAR NOT NULL,
    erased_at   TIMESTAMP NOT NULL,
    -- The record of `beacons` that asked for it.
    partition   INTEGER NOT NULL,
    "offset"    BIGINT NOT NULL,
    -- What it found.
    events      BIGINT NOT NULL,
    duplicates  BIGINT NOT NULL,
    rejected    BIGINT NOT NULL,
    -- NULL while a file beside the tables may still hold bytes of it.
    finished_at TIMESTAMP
);

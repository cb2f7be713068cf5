-- `events` is a view over the rows in this table and those in Parquet files, which `archive_files` names.
ALTER TABLE events RENAME TO hot_events;

-- One row: the folder below `archive` that holds this database's files, and no other database's.
CREATE TABLE archive_folder (
    name    VARCHAR NOT NULL,
    -- How often `archive_files` has changed.
    changes BIGINT NOT NULL
);
INSERT INTO archive_folder VALUES (substr(CAST(gen_random_uuid() AS VARCHAR), 1, 8), 0);

CREATE TABLE archive_files (
    -- Below `archive`.
    name             VARCHAR NOT NULL,
    first_day        DATE NOT NULL,
    last_day         DATE NOT NULL,
    bytes            BIGINT NOT NULL,
    sha256           VARCHAR NOT NULL,
    -- Hash of the columns and types: files of one layout are read together.
    layout           VARCHAR NOT NULL,
    events           BIGINT NOT NULL,
    first_at         TIMESTAMP NOT NULL,
    last_at          TIMESTAMP NOT NULL,
    last_received_at TIMESTAMP NOT NULL
);

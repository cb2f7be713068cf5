-- One row: when the loader last made a snapshot, by its clock, and its version; none before the first.
CREATE TABLE publication (
    published_at TIMESTAMP NOT NULL,
    version      VARCHAR NOT NULL
);

-- One row per partition: how many rows of `events` and `duplicates` have gone at the end of their term, which the
-- ledger still counts (decision 0034).
CREATE TABLE dropped_rows (
    partition  INTEGER NOT NULL,
    events     BIGINT NOT NULL,
    duplicates BIGINT NOT NULL
);

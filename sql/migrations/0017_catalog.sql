-- What stores say of their products and lists: `pipeline catalog import` (decision 0043).
CREATE TABLE catalog (
    store_id VARCHAR NOT NULL,
    kind     VARCHAR NOT NULL,
    id       VARCHAR NOT NULL,
    title    VARCHAR,
    url      VARCHAR,
    image    VARCHAR,
    category VARCHAR
);

-- One row per store: the file that its rows of `catalog` are of.
CREATE TABLE catalog_imports (
    store_id    VARCHAR NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    sha256      VARCHAR NOT NULL
);

-- Facts, derived tables, aggregates and the ledger. Times are naive UTC; money is DECIMAL beside a
-- currency. No primary keys: on tables of this size they cost seven times the insert (docs/decisions/0005).

-- The settings that the rows below were made with; one row.
CREATE TABLE rules (
    digest   VARCHAR NOT NULL,
    gap      INTERVAL NOT NULL,
    lookback INTERVAL NOT NULL,
    lateness INTERVAL NOT NULL
);

-- One row per accepted, unique event; unique by (event_key, occurred_at).
CREATE TABLE events (
    store_id           VARCHAR NOT NULL,
    event_key          UUID NOT NULL,
    event_id           VARCHAR,
    event_type         VARCHAR NOT NULL,
    occurred_at        TIMESTAMP NOT NULL,
    received_at        TIMESTAMP NOT NULL,
    device_key         VARCHAR NOT NULL,
    device_id          VARCHAR,
    session_id         VARCHAR NOT NULL,
    customer_id        VARCHAR,
    fingerprint        VARCHAR NOT NULL,
    attribution_token  VARCHAR,
    product_id         BIGINT,
    variant_id         BIGINT,
    collection_handle  VARCHAR,
    query              VARCHAR,
    position           BIGINT,
    block_id           VARCHAR,
    search_id          VARCHAR,
    order_id           VARCHAR,
    refund_id          VARCHAR,
    currency           VARCHAR,
    quantity           BIGINT NOT NULL,
    price              DECIMAL(18, 4),
    items              STRUCT(product_id BIGINT, variant_id BIGINT, quantity BIGINT,
                              price DECIMAL(18, 4), attribution_token VARCHAR)[],
    shopping_channel   VARCHAR NOT NULL,
    marketing_source   VARCHAR,
    marketing_medium   VARCHAR,
    marketing_campaign VARCHAR,
    device_type        VARCHAR,
    browser            VARCHAR,
    os                 VARCHAR,
    country            VARCHAR,
    region             VARCHAR,
    city               VARCHAR,
    is_bot             BOOLEAN NOT NULL,
    is_late            BOOLEAN NOT NULL,
    is_clock_skewed    BOOLEAN NOT NULL,
    raw                JSON NOT NULL,
    partition          INTEGER NOT NULL,
    "offset"           BIGINT NOT NULL
);

-- One row per line of a purchase or refund.
CREATE TABLE order_lines (
    store_id          VARCHAR NOT NULL,
    event_key         UUID NOT NULL,
    line              INTEGER NOT NULL,
    order_id          VARCHAR,
    refund_id         VARCHAR,
    occurred_at       TIMESTAMP NOT NULL,
    device_key        VARCHAR NOT NULL,
    session_id        VARCHAR NOT NULL,
    product_id        BIGINT NOT NULL,
    variant_id        BIGINT,
    quantity          BIGINT NOT NULL,
    price             DECIMAL(18, 4),
    currency          VARCHAR,
    revenue           DECIMAL(18, 4),
    attribution_token VARCHAR,
    is_bot            BOOLEAN NOT NULL,
    is_refund         BOOLEAN NOT NULL,
    is_repeated       BOOLEAN NOT NULL
);

-- One row per session (S1-S7).
CREATE TABLE sessions (
    store_id           VARCHAR NOT NULL,
    partition          INTEGER NOT NULL,
    session_key        UUID NOT NULL,
    session_id         VARCHAR NOT NULL,
    device_key         VARCHAR NOT NULL,
    started_at         TIMESTAMP NOT NULL,
    ended_at           TIMESTAMP NOT NULL,
    duration           INTERVAL NOT NULL,
    events             BIGINT NOT NULL,
    searches           BIGINT NOT NULL,
    autocompletes      BIGINT NOT NULL,
    collection_views   BIGINT NOT NULL,
    block_views        BIGINT NOT NULL,
    product_impressions BIGINT NOT NULL,
    product_hovers     BIGINT NOT NULL,
    product_touches    BIGINT NOT NULL,
    product_clicks     BIGINT NOT NULL,
    product_views      BIGINT NOT NULL,
    add_to_carts       BIGINT NOT NULL,
    purchases          BIGINT NOT NULL,
    refunds            BIGINT NOT NULL,
    first_event_type   VARCHAR NOT NULL,
    entry_collection   VARCHAR,
    entry_query        VARCHAR,
    entry_product_id   BIGINT,
    marketing_source   VARCHAR,
    marketing_medium   VARCHAR,
    marketing_campaign VARCHAR,
    shopping_channel   VARCHAR NOT NULL,
    is_bot             BOOLEAN NOT NULL,
    has_converted      BOOLEAN NOT NULL,
    orders             BIGINT NOT NULL,
    is_open            BOOLEAN NOT NULL
);

-- One row per session and currency in which it bought; gross.
CREATE TABLE session_revenue (
    store_id    VARCHAR NOT NULL,
    session_key UUID NOT NULL,
    started_at  TIMESTAMP NOT NULL,
    currency    VARCHAR NOT NULL,
    revenue     DECIMAL(38, 4) NOT NULL
);

-- One row per add_to_cart, or line of a purchase that counts (A2, A9).
CREATE TABLE conversions (
    store_id          VARCHAR NOT NULL,
    conversion_key    UUID NOT NULL,
    event_key         UUID NOT NULL,
    line              INTEGER NOT NULL,
    conversion_type   VARCHAR NOT NULL,
    occurred_at       TIMESTAMP NOT NULL,
    device_key        VARCHAR NOT NULL,
    session_id        VARCHAR NOT NULL,
    product_id        BIGINT NOT NULL,
    variant_id        BIGINT,
    quantity          BIGINT NOT NULL,
    revenue           DECIMAL(18, 4),
    currency          VARCHAR,
    match             VARCHAR NOT NULL,
    attribution_token VARCHAR,
    last_touch_token  VARCHAR,
    touches           BIGINT NOT NULL,
    is_bot            BOOLEAN NOT NULL
);

-- One row per touch on a conversion's path (A5); position 1 is the first.
CREATE TABLE conversion_touches (
    store_id          VARCHAR NOT NULL,
    conversion_key    UUID NOT NULL,
    occurred_at       TIMESTAMP NOT NULL,
    position          BIGINT NOT NULL,
    touches           BIGINT NOT NULL,
    touched_at        TIMESTAMP NOT NULL,
    attribution_token VARCHAR NOT NULL,
    product_id        BIGINT NOT NULL,
    touch_event_key   UUID NOT NULL
);

-- One row per event refused at the door, or on which a rule broke.
CREATE TABLE rejected_events (
    store_id    VARCHAR NOT NULL,
    received_at TIMESTAMP,
    index       INTEGER,
    reason      VARCHAR NOT NULL,
    detail      VARCHAR NOT NULL,
    raw         VARCHAR NOT NULL
);

-- One row per dropped repeat (D2).
CREATE TABLE duplicates (
    store_id    VARCHAR NOT NULL,
    event_key   UUID NOT NULL,
    kind        VARCHAR NOT NULL,
    received_at TIMESTAMP NOT NULL,
    partition   INTEGER NOT NULL,
    "offset"    BIGINT NOT NULL
);

-- One row per partition of `beacons`: which origins are in these tables, and what they held.
CREATE TABLE ledger (
    topic_id     VARCHAR NOT NULL,
    partition    INTEGER NOT NULL,
    first_origin BIGINT NOT NULL,
    next_origin  BIGINT NOT NULL,
    stream_time  TIMESTAMP,
    records      BIGINT NOT NULL,
    events       BIGINT NOT NULL,
    duplicates   BIGINT NOT NULL,
    failed       BIGINT NOT NULL,
    erased       BIGINT NOT NULL
);

-- One row per partition that the loader reads: where it goes on.
CREATE TABLE positions (
    topic       VARCHAR NOT NULL,
    topic_id    VARCHAR NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset BIGINT NOT NULL
);

-- Grain: store, UTC day, event type, channel, bot or not.
CREATE TABLE daily_traffic (
    store_id         VARCHAR NOT NULL,
    day              DATE NOT NULL,
    event_type       VARCHAR NOT NULL,
    shopping_channel VARCHAR NOT NULL,
    is_bot           BOOLEAN NOT NULL,
    events           BIGINT NOT NULL
);

-- Grain: store, UTC day of the session's start, channel, marketing source and medium, bot or not.
CREATE TABLE daily_sessions (
    store_id         VARCHAR NOT NULL,
    day              DATE NOT NULL,
    shopping_channel VARCHAR NOT NULL,
    marketing_source VARCHAR,
    marketing_medium VARCHAR,
    is_bot           BOOLEAN NOT NULL,
    sessions         BIGINT NOT NULL,
    events           BIGINT NOT NULL,
    duration_ms      BIGINT NOT NULL,
    single_event     BIGINT NOT NULL,
    with_impression  BIGINT NOT NULL,
    with_click       BIGINT NOT NULL,
    with_product_view BIGINT NOT NULL,
    with_add_to_cart BIGINT NOT NULL,
    converted        BIGINT NOT NULL,
    orders           BIGINT NOT NULL
);

-- Grain: store, UTC day, product, bot or not, currency (NULL where there is no money).
CREATE TABLE daily_products (
    store_id     VARCHAR NOT NULL,
    day          DATE NOT NULL,
    product_id   BIGINT NOT NULL,
    is_bot       BOOLEAN NOT NULL,
    currency     VARCHAR,
    impressions  BIGINT NOT NULL,
    hovers       BIGINT NOT NULL,
    clicks       BIGINT NOT NULL,
    views        BIGINT NOT NULL,
    add_to_carts BIGINT NOT NULL,
    purchases    BIGINT NOT NULL,
    quantity     BIGINT NOT NULL,
    revenue      DECIMAL(38, 4) NOT NULL
);

-- Grain: store, UTC day, token that the event or line carries, bot or not, currency.
CREATE TABLE daily_tokens (
    store_id          VARCHAR NOT NULL,
    day               DATE NOT NULL,
    attribution_token VARCHAR NOT NULL,
    is_bot            BOOLEAN NOT NULL,
    currency          VARCHAR,
    searches          BIGINT NOT NULL,
    block_views       BIGINT NOT NULL,
    impressions       BIGINT NOT NULL,
    clicks            BIGINT NOT NULL,
    add_to_carts      BIGINT NOT NULL,
    purchases         BIGINT NOT NULL,
    quantity          BIGINT NOT NULL,
    revenue           DECIMAL(38, 4) NOT NULL
);

-- Grain: store, UTC day of the conversion, its type and match, the token of its last touch (or its
-- own where it is an orphan), bot or not, currency.
CREATE TABLE daily_attribution (
    store_id          VARCHAR NOT NULL,
    day               DATE NOT NULL,
    conversion_type   VARCHAR NOT NULL,
    match             VARCHAR NOT NULL,
    attribution_token VARCHAR,
    is_bot            BOOLEAN NOT NULL,
    currency          VARCHAR,
    conversions       BIGINT NOT NULL,
    touches           BIGINT NOT NULL,
    quantity          BIGINT NOT NULL,
    revenue           DECIMAL(38, 4) NOT NULL
);

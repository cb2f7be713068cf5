-- What closed sessions come to, summed by day (decision 0046).
CREATE TABLE summed_blended (
    store_id            VARCHAR NOT NULL,
    day                 DATE NOT NULL,
    shows               VARCHAR NOT NULL,
    attribution_token   VARCHAR,
    block_id            VARCHAR,
    collection_handle   VARCHAR,
    search_term         VARCHAR,
    product_id          BIGINT,
    position            BIGINT,
    is_bot              BOOLEAN NOT NULL,
    currency            VARCHAR,
    summed_impressions  BIGINT NOT NULL,
    summed_clicks       DECIMAL(38, 1) NOT NULL,
    summed_add_to_carts DECIMAL(38, 1) NOT NULL,
    summed_order_lines  DECIMAL(38, 1) NOT NULL,
    summed_revenue      DECIMAL(38, 5) NOT NULL
);

CREATE TABLE summed_searches (
    store_id              VARCHAR NOT NULL,
    day                   DATE NOT NULL,
    search_term           VARCHAR,
    currency              VARCHAR,
    summed_searches       BIGINT NOT NULL,
    summed_sessions       BIGINT NOT NULL,
    summed_clicked        BIGINT NOT NULL,
    summed_carted         BIGINT NOT NULL,
    summed_bought         BIGINT NOT NULL,
    summed_search_clicks  BIGINT NOT NULL,
    summed_positions      BIGINT NOT NULL,
    summed_lines          BIGINT NOT NULL,
    summed_search_revenue DECIMAL(38, 4) NOT NULL
);

-- All sessions that ended until then are in the sums, but for those of `unsummed_sessions`. One row, or none before
-- the first sum.
CREATE TABLE summed_until (until TIMESTAMP NOT NULL);
CREATE TABLE unsummed_sessions (session_key UUID NOT NULL, started_at TIMESTAMP NOT NULL);

-- Grain: one row per conversion of `sold`, a relation with the columns of `conversions`, model and touch on its path; one
-- per model without a touch (A7). Store and day are among the keys of each window, so that a filter of them reaches the
-- tables.
CREATE OR REPLACE MACRO credits_of(sold) AS TABLE
WITH touched AS (
    SELECT
        c.store_id, c.conversion_key, c.conversion_type, c.match, c.occurred_at, c.day, c.device_key,
        c.session_id, c.product_id, c.is_bot, c.currency, c.revenue,
        coalesce(t.attribution_token, c.attribution_token) AS attribution_token,
        t.product_id AS touched_product_id, t.touched_at, t.position, c.touches,
        greatest(c.touches, 1) AS length,
        coalesce(t.position, 1) AS place,
        -- Of the last touch, whose weight is 1: no age is so great that all weights are nothing.
        epoch_ms(max(t.touched_at) OVER path) - epoch_ms(t.touched_at) AS age_ms
    FROM query_table(sold) AS c
    LEFT JOIN conversion_touches AS t
        ON c.conversion_key = t.conversion_key AND c.occurred_at = t.occurred_at
    WINDOW path AS (PARTITION BY c.store_id, c.day, c.conversion_key)
),

-- Integers; only their proportion counts.
shares AS (
    SELECT
        touched.* EXCLUDE (length, place, age_ms),
        place = length AS is_last,
        model,
        CAST(CASE model
            WHEN 'last' THEN place = length
            WHEN 'first' THEN place = 1
            WHEN 'linear' THEN 1
            -- 0.4 each for the ends, 0.2 for all between them.
            WHEN 'position' THEN CASE
                WHEN length < 3 THEN 1
                WHEN place IN (1, length) THEN 2 * (length - 2)
                ELSE 1
            END
            WHEN 'time_decay' THEN coalesce(
                round(1e15 * pow(0.5, age_ms / (SELECT epoch_ms(half_life) FROM rules))), 1
            )
        END AS HUGEINT) AS share
    FROM touched
    CROSS JOIN (
        SELECT unnest(['last', 'first', 'linear', 'position', 'time_decay']) AS model
    )
),

portions AS (
    SELECT
        shares.*,
        sum(share) OVER of_path AS whole,
        ten_thousandths(revenue) AS amount,
        -- Ten-thousandths in one minor unit.
        CAST(10 ** (4 - coalesce(places, 2)) AS HUGEINT) AS unit
    FROM shares
    LEFT JOIN currencies USING (currency)
    WINDOW of_path AS (PARTITION BY store_id, day, conversion_key, model)
),

rounded AS (
    SELECT
        *,
        CASE WHEN is_last THEN 0 ELSE half_even(amount * share, whole * unit) * unit END AS part,
        CASE WHEN is_last THEN 0 ELSE half_even(1000000000 * share, whole) END AS weight_part
    FROM portions
)

SELECT
    store_id, conversion_key, conversion_type, match, model, occurred_at, day,
    device_key, session_id, product_id, attribution_token, touched_product_id, touched_at, position,
    touches, is_last, is_bot,
    -- The last touch takes what rounding has left.
    CAST((
        CASE WHEN is_last THEN 1000000000 - sum(weight_part) OVER of_path ELSE weight_part END
    ) AS DECIMAL(38, 0)) * 0.000000001 AS weight,
    currency,
    CAST((
        CASE WHEN is_last THEN amount - sum(part) OVER of_path ELSE part END
    ) AS DECIMAL(34, 0)) * 0.0001 AS credit
FROM rounded
WINDOW of_path AS (PARTITION BY store_id, day, conversion_key, model);

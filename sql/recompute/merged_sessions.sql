-- Grain: one row per session made of those in `source`, rows shaped like `recompute_sessions`, of which some
-- are at most the gap apart (S3). Equal to a recompute from the events of all of them, which it does not read.
CREATE OR REPLACE TEMP MACRO merge_sessions(source) AS TABLE
WITH placed AS (
    SELECT
        *,
        place_of(started_at, first_event_type, first_event_key) AS place,
        coalesce(started_at > max(ended_at) OVER (
            PARTITION BY store_id, device_key, session_id ORDER BY started_at, first_event_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) + (SELECT gap FROM rules), true) AS is_first
    FROM query_table(source)
),

numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_first) OVER (
            PARTITION BY store_id, device_key, session_id ORDER BY started_at, first_event_key
            ROWS UNBOUNDED PRECEDING
        ) AS number,
        -- What names nothing has no place.
        CASE
            WHEN coalesce(marketing_source, marketing_medium, marketing_campaign) IS NOT NULL
            THEN coalesce(marketing_event, place)
        END AS marketing_place,
        CASE WHEN landing_token IS NOT NULL THEN coalesce(landing_token_event, place) END AS token_place,
        CASE
            WHEN landing_product_id IS NOT NULL THEN coalesce(landing_product_event, place)
        END AS product_place
    FROM placed
),

merged AS (
    SELECT
        store_id,
        device_key,
        session_id,
        max({'at': ended_at, 'partition': partition}).partition AS partition,
        min(started_at) AS started_at,
        max(ended_at) AS ended_at,
        CAST(sum(events) AS BIGINT) AS events,
        CAST(sum(searches) AS BIGINT) AS searches,
        CAST(sum(autocompletes) AS BIGINT) AS autocompletes,
        CAST(sum(collection_views) AS BIGINT) AS collection_views,
        CAST(sum(block_views) AS BIGINT) AS block_views,
        CAST(sum(product_impressions) AS BIGINT) AS product_impressions,
        CAST(sum(product_hovers) AS BIGINT) AS product_hovers,
        CAST(sum(product_touches) AS BIGINT) AS product_touches,
        CAST(sum(product_clicks) AS BIGINT) AS product_clicks,
        CAST(sum(product_views) AS BIGINT) AS product_views,
        CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
        CAST(sum(purchases) AS BIGINT) AS purchases,
        CAST(sum(refunds) AS BIGINT) AS refunds,
        min(place) AS place,
        arg_min({
            'type': first_event_type, 'collection': entry_collection, 'query': entry_query,
            'product_id': entry_product_id, 'channel': shopping_channel, 'day': day,
            'device_type': device_type, 'browser': browser, 'country': country
        }, place) AS entry,
        arg_min({
            'source': marketing_source, 'medium': marketing_medium, 'name': marketing_campaign
        }, marketing_place) AS campaign,
        min(marketing_place) AS marketing_place,
        arg_min(landing_token, token_place) AS landing_token,
        min(token_place) AS token_place,
        arg_min(landing_product_id, product_place) AS landing_product_id,
        min(product_place) AS product_place,
        bool_and(is_bot) AS is_bot,
        bool_and(is_report) AS is_report,
        bool_or(has_late) AS has_late
    FROM numbered
    GROUP BY store_id, device_key, session_id, number
)

SELECT
    * EXCLUDE (place, entry, campaign, marketing_place, token_place, product_place),
    session_key_of(store_id, device_key, session_id, started_at) AS session_key,
    ended_at - started_at AS duration,
    entry.type AS first_event_type,
    entry.collection AS entry_collection,
    entry.query AS entry_query,
    entry.product_id AS entry_product_id,
    campaign.source AS marketing_source,
    campaign.medium AS marketing_medium,
    campaign.name AS marketing_campaign,
    entry.channel AS shopping_channel,
    entry.day AS day,
    entry.device_type AS device_type,
    entry.browser AS browser,
    entry.country AS country,
    place.event_key AS first_event_key,
    later_than(marketing_place, place) AS marketing_event,
    later_than(token_place, place) AS landing_token_event,
    later_than(product_place, place) AS landing_product_event,
    device_key_hash_of(store_id, device_key) AS device_key_hash
FROM merged;

-- What the filters choose, under the names of what they choose from: on this connection macros and queries that read
-- `sessions`, `events` and `order_lines` read these. `without_…` chooses sessions that have no such value.
CREATE OR REPLACE TEMP VIEW sessions AS
SELECT *
FROM snapshot.main.sessions
WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
    AND (getvariable('channel') IS NULL OR shopping_channel = getvariable('channel'))
    AND (NOT getvariable('without_channel') OR shopping_channel IS NULL)
    AND (getvariable('device') IS NULL OR device_type = getvariable('device'))
    AND (NOT getvariable('without_device') OR device_type IS NULL)
    AND (getvariable('country') IS NULL OR country = getvariable('country'))
    AND (NOT getvariable('without_country') OR country IS NULL)
    AND (getvariable('source') IS NULL OR marketing_source = getvariable('source'))
    AND (NOT getvariable('without_source') OR marketing_source IS NULL)
    AND (getvariable('campaign') IS NULL OR marketing_campaign = getvariable('campaign'))
    AND (NOT getvariable('without_campaign') OR marketing_campaign IS NULL);

CREATE OR REPLACE TEMP VIEW events AS
SELECT *
FROM snapshot.main.events
WHERE getvariable('store') IS NULL OR store_id = getvariable('store');

CREATE OR REPLACE TEMP VIEW order_lines AS
SELECT *
FROM snapshot.main.order_lines
WHERE getvariable('store') IS NULL OR store_id = getvariable('store');

-- The sums are of all sessions: of chosen ones all is read from events.
CREATE OR REPLACE TEMP VIEW summed_blended AS
FROM snapshot.main.summed_blended
WHERE NOT getvariable('is_filtered') AND (getvariable('store') IS NULL OR store_id = getvariable('store'));

CREATE OR REPLACE TEMP VIEW summed_searches AS
FROM snapshot.main.summed_searches
WHERE NOT getvariable('is_filtered') AND (getvariable('store') IS NULL OR store_id = getvariable('store'));

CREATE OR REPLACE TEMP VIEW summed_until AS
FROM snapshot.main.summed_until
WHERE NOT getvariable('is_filtered');

CREATE OR REPLACE TEMP VIEW unsummed_sessions AS
FROM snapshot.main.unsummed_sessions
WHERE NOT getvariable('is_filtered');

-- What the store calls its products and lists; of several stores that have an id, the first does.
CREATE OR REPLACE TEMP VIEW titles AS
SELECT kind, id, unnest(arg_min({'title': title, 'url': url, 'category': category}, store_id))
FROM snapshot.main.catalog
WHERE title IS NOT NULL AND (getvariable('store') IS NULL OR store_id = getvariable('store'))
GROUP BY kind, id;

-- What the filters choose, under the names of what they choose from: on this connection macros and queries that read
-- `sessions`, `events` and `order_lines` read these. A value that is absent is chosen by a hyphen.
CREATE OR REPLACE TEMP VIEW sessions AS
SELECT *
FROM snapshot.main.sessions
WHERE (getvariable('store') IS NULL OR store_id = getvariable('store'))
    AND (getvariable('channel') IS NULL OR shopping_channel = getvariable('channel'))
    AND (getvariable('device') IS NULL OR coalesce(device_type, '-') = getvariable('device'))
    AND (getvariable('country') IS NULL OR coalesce(country, '-') = getvariable('country'))
    AND (getvariable('source') IS NULL OR coalesce(marketing_source, '-') = getvariable('source'))
    AND (getvariable('campaign') IS NULL OR coalesce(marketing_campaign, '-') = getvariable('campaign'));

CREATE OR REPLACE TEMP VIEW events AS
SELECT *
FROM snapshot.main.events
WHERE getvariable('store') IS NULL OR store_id = getvariable('store');

CREATE OR REPLACE TEMP VIEW order_lines AS
SELECT *
FROM snapshot.main.order_lines
WHERE getvariable('store') IS NULL OR store_id = getvariable('store');

-- A name of a measure means one number (decision 0041).
ALTER TABLE daily_sessions RENAME COLUMN events TO session_events;
ALTER TABLE daily_sessions RENAME COLUMN single_event TO single_event_sessions;
ALTER TABLE daily_sessions RENAME COLUMN orders TO session_orders;

ALTER TABLE daily_products RENAME COLUMN impressions TO product_impressions;
ALTER TABLE daily_products RENAME COLUMN clicks TO product_clicks;
ALTER TABLE daily_products RENAME COLUMN views TO product_views;
ALTER TABLE daily_products RENAME COLUMN purchases TO order_lines;
ALTER TABLE daily_products RENAME COLUMN quantity TO units;
ALTER TABLE daily_products RENAME COLUMN revenue TO gross_revenue;

ALTER TABLE daily_tokens RENAME COLUMN searches TO token_list_views;
ALTER TABLE daily_tokens RENAME COLUMN block_views TO token_block_views;
ALTER TABLE daily_tokens RENAME COLUMN impressions TO token_impressions;
ALTER TABLE daily_tokens RENAME COLUMN clicks TO token_clicks;
ALTER TABLE daily_tokens RENAME COLUMN add_to_carts TO token_add_to_carts;
ALTER TABLE daily_tokens RENAME COLUMN purchases TO token_order_lines;
ALTER TABLE daily_tokens RENAME COLUMN quantity TO token_units;
ALTER TABLE daily_tokens RENAME COLUMN revenue TO token_revenue;

ALTER TABLE daily_attribution RENAME COLUMN quantity TO conversion_units;
ALTER TABLE daily_attribution RENAME COLUMN revenue TO attributed_revenue;

ALTER TABLE daily_expired RENAME COLUMN events TO expired_events;

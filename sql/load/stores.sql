-- Each store's zone is kept from its first record on (T10).
INSERT INTO stores
SELECT store_id, timezone, zone_digest(timezone) FROM in_stores ANTI JOIN stores USING (store_id);

-- What has gone with its time (T11) does not come again; of purchases their lines decide.
DELETE FROM affected_conversions
WHERE conversion_type <> 'purchase' AND NOT is_kept(occurred_at);

-- What came when its time had gone is counted by store and day as in the ledger (T11).
SELECT in_ledger, by_day
FROM (SELECT coalesce(sum(expired), 0) AS in_ledger FROM ledger)
CROSS JOIN (SELECT coalesce(sum(expired_events), 0) AS by_day FROM daily_expired)
WHERE in_ledger <> by_day;

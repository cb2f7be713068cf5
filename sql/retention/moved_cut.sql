-- `derived_from` becomes `cut`, a variable of the connection (T11). Aggregates stay, as these rules made them.
UPDATE aggregate_rules SET until = CAST(getvariable('cut') AS DATE) + 1
FROM rules
WHERE until = (SELECT max(until) FROM aggregate_rules)
    AND aggregate_rules.digest = rules.digest
    AND aggregate_rules.warehouse_digest = rules.warehouse_digest;

INSERT INTO aggregate_rules
SELECT CAST(getvariable('cut') AS DATE) + 1, digest, warehouse_digest, gap, lookback
FROM rules
WHERE NOT EXISTS (FROM aggregate_rules WHERE until = CAST(getvariable('cut') AS DATE) + 1);

INSERT INTO retention (derived_from) SELECT NULL WHERE NOT EXISTS (FROM retention);
UPDATE retention SET derived_from = getvariable('cut');

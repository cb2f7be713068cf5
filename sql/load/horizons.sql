-- The devices of this transaction, each with the stream time up to which events are missing in its
-- partition, and the lowest horizon of all: a bound on time, so that no table is read whole. Before a
-- partition's first stream time there is no horizon, and none of its devices has a row.
UPDATE in_devices SET missing_until = missing.missing_until
FROM (
    SELECT partition, max(missing_until) AS missing_until
    FROM (
        SELECT partition, missing_until FROM ledger
        UNION ALL
        SELECT partition, missing_until FROM in_ledger
    )
    GROUP BY ALL
) AS missing
WHERE in_devices.partition = missing.partition AND missing.missing_until IS NOT NULL;

INSERT INTO min_horizon SELECT min(horizon) FROM in_devices;

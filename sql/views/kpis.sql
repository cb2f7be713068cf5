-- Grain: one row per store, day of t0, kind of thing (`grain`: store, token, block, collection, query,
-- product, position) and its name (B1-B4). `pipeline query kpis` reads its days alone.
FROM kpis(DATE '-infinity', DATE 'infinity');

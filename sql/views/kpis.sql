-- Grain: one row per store, UTC day of t0, kind of thing (`grain`: store, token, block, collection, query,
-- product, position) and its name (B1-B4). `FROM kpis(first_day, last_day)` reads those days alone.
FROM kpis(DATE '-infinity', DATE 'infinity');

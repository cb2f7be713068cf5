-- Grain: one row per store, day of t0, `grain` (all_tokens, token, block, collection, query,
-- product, position) and name (B1-B4). `pipeline query kpis` reads only its days.
FROM kpis(DATE '-infinity', DATE 'infinity');

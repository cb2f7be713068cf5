-- Grain: one row per store, day of t0, `grain`, name and currency: revenue of blended purchases
-- and per impression.
FROM kpi_revenue(DATE '-infinity', DATE 'infinity');

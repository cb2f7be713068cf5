-- Grain: one row per store, day of t0, `grain`, name, currency, bot or not: what the KPIs are made of. Any
-- span is a sum: rates are `sum(blended_clicks) / sum(blended_impressions)`.
FROM daily_kpis(DATE '-infinity', DATE 'infinity');

-- Intervals as text: not every engine reads one.
SELECT * REPLACE (CAST(gap AS VARCHAR) AS gap, CAST(lookback AS VARCHAR) AS lookback)
FROM aggregate_rules

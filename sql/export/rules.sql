-- Intervals as text: not every engine reads one.
SELECT * REPLACE (
    CAST(gap AS VARCHAR) AS gap,
    CAST(lookback AS VARCHAR) AS lookback,
    CAST(lateness AS VARCHAR) AS lateness,
    CAST(half_life AS VARCHAR) AS half_life
)
FROM rules

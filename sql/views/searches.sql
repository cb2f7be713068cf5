-- Grain: one row per store, day, search term and currency: people's searches, and what followed each in its session
-- up to the next (Q2). Counts are in the row without a currency.
FROM searches(DATE '-infinity', DATE 'infinity');

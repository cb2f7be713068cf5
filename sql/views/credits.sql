-- Grain: one row per conversion, model and touch on its path; one per model without a touch (A7).
-- `credit` and `weight` of one conversion and model sum to its revenue and to 1, exactly.
FROM credits_of('conversions');

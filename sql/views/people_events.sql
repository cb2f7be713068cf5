-- Grain: as in `events`, of people alone: without bots and prefetched events (P3).
SELECT * EXCLUDE (is_bot, is_prefetch)
FROM events
WHERE NOT is_bot AND NOT is_prefetch;

-- Every conversion, its match, its last touch and its money equal a recompute (A1-A6, A9, A11).
WITH stored AS (FROM conversion_facts WHERE has_events_of_conversion(occurred_at)),

recomputed AS (FROM recompute_conversion_facts('events', 'order_lines')),

by_name AS (FROM stored WHERE false UNION ALL BY NAME FROM recomputed)

SELECT 'only stored' AS side, * FROM (FROM stored EXCEPT ALL FROM by_name)
UNION ALL
SELECT 'only recomputed' AS side, * FROM (FROM by_name EXCEPT ALL FROM stored);

-- Grain: as in `sessions`, the chosen ones of the days shown and of those compared with. `in_time`: by the time of day at
-- which an unfinished last day stands. A query that asks for no time of day computes none, for it is most of the work.
CREATE OR REPLACE TEMP VIEW visits AS
SELECT
    s.*,
    hour(time_in(c.timezone, s.started_at)) AS hour,
    CASE
        WHEN c.today <> getvariable('last') THEN true
        ELSE CAST(time_in(c.timezone, s.started_at) AS TIME) <= c.time_of_day
    END AS in_time
FROM sessions AS s
JOIN clocks AS c USING (store_id)
WHERE s.day BETWEEN getvariable('first') AND getvariable('last')
    OR s.day BETWEEN getvariable('before_first') AND getvariable('before_last');

-- No event occurs twice: (event_key, occurred_at) is unique (D2-D4).
SELECT event_key, occurred_at, count(*) AS times
FROM events
GROUP BY ALL
HAVING count(*) > 1;

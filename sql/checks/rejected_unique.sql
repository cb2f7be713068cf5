-- No rejected event occurs twice: a request rejects each of its events once.
SELECT request_id, index, count(*) AS times
FROM rejected_events
WHERE request_id IS NOT NULL
GROUP BY ALL
HAVING count(*) > 1;

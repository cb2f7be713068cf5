-- By the day on which they arrived.
SELECT *, received_day AS day FROM duplicates

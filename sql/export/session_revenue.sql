-- By the day of the session.
SELECT held.*, sessions.day
FROM session_revenue AS held JOIN sessions USING (store_id, session_key)

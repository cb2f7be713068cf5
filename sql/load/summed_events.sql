-- What those sessions had before this transaction.
INSERT INTO summed_events
FROM (FROM events WHERE near_summed_sessions(occurred_at)) AS held
SEMI JOIN summed_sessions USING (store_id, device_key, session_id)
ANTI JOIN in_events ON held.event_key = in_events.event_key AND held.occurred_at = in_events.occurred_at;

INSERT INTO summed_lines
FROM (FROM order_lines WHERE near_summed_sessions(occurred_at)) AS held
SEMI JOIN summed_sessions USING (store_id, device_key, session_id)
ANTI JOIN new_lines
    ON held.event_key = new_lines.event_key
    AND held.occurred_at = new_lines.occurred_at
    AND held.line = new_lines.line;

INSERT INTO summed_lines FROM old_lines SEMI JOIN summed_sessions USING (store_id, device_key, session_id);

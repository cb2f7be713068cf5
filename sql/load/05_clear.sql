-- What the transaction before has left in its working tables.
TRUNCATE fresh;
TRUNCATE judged;
TRUNCATE rivals;
TRUNCATE new_lines;
TRUNCATE old_lines;
TRUNCATE lowest;
TRUNCATE growing;
TRUNCATE healed;
TRUNCATE healed_events;
TRUNCATE new_sessions;
TRUNCATE old_sessions;
TRUNCATE lines_near;
TRUNCATE new_conversions;
TRUNCATE old_conversions;
TRUNCATE new_conversion_touches;

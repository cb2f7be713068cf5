-- Without the duration, which is an interval: not every engine reads one.
SELECT * EXCLUDE (duration) FROM sessions

-- Empty the working tables of the transaction before.
TRUNCATE fresh;
TRUNCATE late_candidates;
TRUNCATE competing_lines;
TRUNCATE order_reports;
TRUNCATE settled_lines;
TRUNCATE new_lines;
TRUNCATE old_lines;
TRUNCATE min_horizon;
TRUNCATE open_sessions;
TRUNCATE recomputed_devices;
TRUNCATE recomputed_events;
TRUNCATE new_sessions;
TRUNCATE old_sessions;
TRUNCATE lines_near;
TRUNCATE new_conversions;
TRUNCATE old_conversions;
TRUNCATE new_conversion_touches;

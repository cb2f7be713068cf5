"""Published snapshots: copies of the live database that clients open."""

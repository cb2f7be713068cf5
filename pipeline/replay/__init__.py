"""Event files: over HTTP (`send`), or straight into a database (`local`)."""

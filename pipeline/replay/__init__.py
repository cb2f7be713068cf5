"""Event files: sent over HTTP (`send`), loaded without a broker (`local`), or checked."""

"""The command `pipeline`: its verbs, and what they share."""

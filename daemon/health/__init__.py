"""Is the daemon well, and how a person or a monitor learns of it."""

"""Past sessions, replayed under a clock of the past by the daemon's own jobs, and what they come to."""

"""What `doctor` looks at: one file a group of checks. All of it only looks; nothing is written, no lock is taken."""

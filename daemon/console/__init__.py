"""What goes out to people: tables, progress, the log; nothing secret."""

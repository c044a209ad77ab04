"""The database as a file or server that may be damaged, old, locked or away."""

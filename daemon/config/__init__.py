"""The configuration: read, checked, refused in one line, kept with every run."""

"""Wiring and effects: command line, settings, jobs."""

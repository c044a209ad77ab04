"""Versions of the models: made, tried, served, watched, undone, removed."""

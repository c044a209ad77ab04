"""Looks for knowledge of the future in a pipeline: bars become a panel, windows, models and probabilities."""

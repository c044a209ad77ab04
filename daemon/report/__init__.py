"""The report: one HTML file that says what was forecast, why, and whether to believe it."""

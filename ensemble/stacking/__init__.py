"""Combines the members: vote, mean of log-odds, LightGBM stack, calibration, and who speaks."""

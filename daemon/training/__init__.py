"""Trains members wherever the configuration says."""

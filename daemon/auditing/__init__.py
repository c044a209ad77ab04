"""Looks for knowledge of the future in what is configured."""

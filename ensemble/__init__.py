"""Bars in, sized signals out: pure functions, without clock, disk or network."""

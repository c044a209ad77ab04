"""Wiring and effects: command line, settings, jobs."""

import gc

# A start makes a million objects that stay: looking through them for garbage took a tenth of its time.
gc.set_threshold(50_000)

"""Wiring and effects: command line, settings, jobs."""

import gc
import os

import storage  # noqa: F401  # before pandas, which it has loaded without pyarrow

# A start makes a million objects that stay: looking through them for garbage took a tenth of its time.
gc.set_threshold(50_000)
# NumPy reads it when it is loaded. Matrices as small as a panel's take two threads four times as long as one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

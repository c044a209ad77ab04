"""Keeps things: the database, the model store, the feeds."""

from storage.arrow import leave_to_later

# Before anything here loads pandas: also in the processes that only fetch.
leave_to_later()

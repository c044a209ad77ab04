"""Keeps things: the database, the model store, the feeds."""

"""The stored live sessions, replayed and compared."""

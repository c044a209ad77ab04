"""When exchanges are open, as it is configured."""

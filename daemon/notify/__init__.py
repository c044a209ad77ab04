"""Messages, from the outbox to their channels."""

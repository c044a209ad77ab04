"""The paper account as people see it."""

"""The report, health and metrics as pages of this machine alone; nothing can be changed by them."""

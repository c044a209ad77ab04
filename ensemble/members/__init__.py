"""The forecasters that the ensemble combines."""

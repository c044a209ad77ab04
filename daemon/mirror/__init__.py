"""Models and backups in a bucket, beside the work."""

"""Models and database backups in a bucket: how they lie there, how they get there and back."""

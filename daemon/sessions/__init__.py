"""One session's work, decided and settled: what is due, and each task in a transaction of its own."""

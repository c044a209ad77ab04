"""The life of `run`: what wakes it, what ends it, what it says to systemd."""

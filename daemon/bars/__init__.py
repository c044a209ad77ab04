"""From a feed's answer to stored bars that can be trusted."""

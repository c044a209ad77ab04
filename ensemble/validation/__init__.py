"""What of a feed may be believed. No model depends on this code: it is told by the bars that it saw."""

"""From forecast to position: signals, limits, fills, costs, the paper account."""

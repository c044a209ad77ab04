"""Corporate actions on held shares, as a settlement is told of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldActions:
    """What came to the holder of one symbol before the open; a split comes first, the rest is per share after it."""

    factor: float = 1.0
    """Shares after a split or bonus for each one before."""
    dividend: float = 0.0
    """Newly seen, in currency a share."""
    demerger: float = 0.0
    """Worth of what was carved out, in currency a share."""

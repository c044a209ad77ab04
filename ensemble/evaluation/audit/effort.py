"""How much an audit tries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """More sees smaller leaks and takes longer."""

    rows: int
    """Sessions at which features are looked at, besides those whose forecasts are."""
    flips: int
    """Markets with other signs."""
    flip_months: int
    """Months forecast in each of them."""
    planted_symbols: int
    planted_years: int
    planted_months: int
    """Months forecast in the simulated market."""


QUICK = Effort(rows=6, flips=1, flip_months=4, planted_symbols=4, planted_years=4, planted_months=6)
FULL = Effort(rows=24, flips=2, flip_months=12, planted_symbols=5, planted_years=6, planted_months=12)

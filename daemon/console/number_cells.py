"""How numbers and intervals stand in a table's cells; a dash where one is not defined."""

from ensemble.evaluation.estimate import Estimate

NONE = "-"


def number(value: float, digits: int = 3) -> str:
    """A dash where it is not defined."""
    return f"{value:.{digits}f}" if abs(value) < float("inf") else NONE


def interval(estimate: Estimate, digits: int = 3) -> str:
    """As in ".590 to .618"; a dash where there is none."""
    ends = (number(estimate.low, digits), number(estimate.high, digits))
    return NONE if NONE in ends else " to ".join(ends)


def cell(value: float | None, digits: int) -> str:
    """As in "1,234.50"; nothing is below zero that rounds to it."""
    return NONE if value is None else f"{round(value, digits) + 0.0:,.{digits}f}"


def ends(interval: tuple[float, float] | None, digits: int) -> str:
    """As in "-1.2 to 3.4"; nothing where there is none."""
    return "" if interval is None else f"{interval[0]:,.{digits}f} to {interval[1]:,.{digits}f}"

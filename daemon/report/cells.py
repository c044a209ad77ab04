"""Numbers as people read them, never without what has to stand beside them."""

from daemon.console.number_cells import NONE, cell, interval, number
from ensemble.evaluation.estimate import Estimate


def percent(share: float, digits: int = 1) -> str:
    """A share of 1 as in "54.2 %"."""
    text = number(100 * share, digits)
    return text if text == NONE else f"{text} %"


def percent_interval(estimate: Estimate) -> str:
    """As in "49.1 to 59.2 %"."""
    text = interval(Estimate(*(100 * one for one in (estimate.value, estimate.low, estimate.high))), 1)
    return text if text == NONE else f"{text} %"


def money(value: float | None) -> str:
    """As in "1,234.50"."""
    return cell(value, 2)


def signed(value: float, digits: int = 2) -> str:
    """As in "+1.25"; a dash where it is not defined."""
    return f"{value:+,.{digits}f}" if abs(value) < float("inf") else NONE

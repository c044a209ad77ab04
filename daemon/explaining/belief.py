"""Whether to believe a forecast, in a sentence: how often such forecasts were right, beside what needs no skill."""

from collections.abc import Mapping

from daemon.explaining.explanation import Explanation
from ensemble.counted import counted
from ensemble.evaluation.past_record import PastRecord

ENOUGH = 30
"""So many forecasts are preferred to the fewer of a record that is closer to this one."""


def belief(one: Explanation) -> str:
    """As in "Of 41 forecasts as sure (live, all stocks) 32 were right, 78 % (63 to 88 %); ..."."""
    if one.forecast is None:
        return "There is nothing to believe."
    whose = chosen_record(one.past)
    if whose is None and one.held_out:
        return "Not told: the session is held out (evaluation.holdout_from)."
    if whose is None:
        return "Nobody knows: the outcome of no forecast as sure was known before that session."
    record = one.past[whose]
    right, commoner = record.right, record.commoner_side
    interval = f"{100 * right.low:.0f} to {100 * right.high:.0f} %"
    return (
        f"Of {counted(record.forecasts, 'forecast')} as sure ({whose}) {100 * right.value:.0f} % were right "
        f"({interval}); always naming the commoner side: {100 * commoner:.0f} %. {_verdict(record)}"
    )


def chosen_record(past: Mapping[str, PastRecord]) -> str | None:
    """The first with enough forecasts, else the largest; None where none has any."""
    filled = {whose: record for whose, record in past.items() if record.forecasts}
    enough = (whose for whose, record in filled.items() if record.forecasts >= ENOUGH)
    return next(enough, max(filled, key=lambda whose: filled[whose].forecasts, default=None))


def _verdict(record: PastRecord) -> str:
    if record.right.low > record.commoner_side:
        return "More than luck, so far."
    if record.right.high < record.commoner_side:
        return "Worse than that: do not believe it."
    return "So few cannot be told from that." if record.forecasts < ENOUGH else "That is no more than can be luck."

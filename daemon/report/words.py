"""The words of the database in plain sentences."""

from collections.abc import Mapping

from ensemble.fills import ExitReason
from ensemble.trading.signals import Action, Reason

QUESTIONS: Mapping[str, str] = {
    "gap": "Will it open above the last close?",
    "close_to_close": "Will it close above the last close?",
    "open_to_close": "Will it close above its open?",
    "barrier": "Would a trade with this stop and target end in profit?",
}
"""Label -> what is forecast."""

ACTIONS: Mapping[str, str] = {
    Action.BUY: "Buy at the open.",
    Action.SELL: "Sell at the open.",
    Action.HOLD: "Do nothing.",
}

REASONS: Mapping[str, str] = {
    Reason.CONFIDENT: "The forecast is at least as sure as signals.min_confidence asks.",
    Reason.AMONG_SUREST: "The forecast is among the surest of the past, as signals.coverage_pct asks.",
    Reason.WORTH_ITS_COST: "Past trades after such forecasts earned more than they cost.",
    Reason.BELOW_CONFIDENCE: "The forecast is less sure than signals.min_confidence asks.",
    Reason.BELOW_COVERAGE: "The forecast is not among the surest of the past.",
    Reason.BELOW_EXPECTED_VALUE: "Acting on it would not be worth its costs.",
    Reason.NO_EVIDENCE: "There are too few past forecasts of this kind to judge it by.",
    Reason.DISAGREEMENT: "The members disagree by more than signals.max_disagreement.",
    Reason.ALREADY_HELD: "It is held on the forecast's side already.",
    Reason.ALREADY_ORDERED: "It is ordered already, in a session that is not settled yet.",
    Reason.NOTHING_TO_SELL: "The forecast is a fall, and none is held that could be sold.",
    Reason.MAX_POSITIONS: "Surer forecasts took the places of risk.max_positions.",
    Reason.MAX_EXPOSURE: "risk.max_exposure_pct leaves no room for a whole lot.",
    Reason.NO_CAPITAL: "The cash, or the size of a position, pays for no whole lot.",
    Reason.NO_VOLATILITY: "Too few closes are known to size the position by volatility.",
    Reason.DRAWDOWN_HALT: "The account fell too far below its peak: nothing is opened for a while.",
    Reason.DAILY_LOSS: "The session before lost too much: nothing is opened today.",
    Reason.COOL_DOWN: "A stop was hit in this symbol a short while ago: it is not opened again yet.",
    Reason.KILL_SWITCH: "Somebody said `halt`: nothing is opened until `resume`.",
    Reason.NO_FORECAST: "There is no forecast: no model, or no bar to forecast from.",
    Reason.STALE_DATA: "The newest bar is too old.",
    Reason.STALE_MODEL: "The model is too old.",
    Reason.LATE: "It was decided after the session had opened: for the record only.",
}

EXITS: Mapping[str, str] = {
    ExitReason.STOP: "stop",
    ExitReason.TARGET: "target",
    ExitReason.TIME: "time",
    ExitReason.SIGNAL: "signal",
}


def reason_text(word: str) -> str:
    """The sentence for a stored word; the word itself where a later version wrote it."""
    return REASONS.get(word, word)

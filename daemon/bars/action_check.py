"""Whether prices go on over a corporate action as the action says: what is left over is a fault, or news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import expm1, fsum, isnan, log, prod

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.validation.asset_class import class_rules
from ensemble.validation.price_path import daily_scale
from ensemble.validation.rules import BarRules
from storage.action_store import Action, Kind


@dataclass(frozen=True, slots=True)
class CheckedAction:
    """One action, and how its symbol's close moved over the ex-date; the moves are None where a bar is missing."""

    symbol: str
    session: date
    kind: Kind
    value: float
    provider: str
    move_pct: float | None = None
    """Of the split-adjusted close, from the bar before the ex-date to its own."""
    explained_pct: float | None = None
    """By all actions of the session: a dividend takes its part of the close before, as does what a person stated; a
    split, adjusted for, nothing."""
    rest_pct: float | None = None
    limit_pct: float | None = None
    """How far a day may go by the rule for bad ticks; None where too few bars are known to say."""
    broken: bool = False
    """The rest is farther than that."""


def check_actions(
    symbol: str, actions: Sequence[Action], bars: pd.DataFrame, *, rules: BarRules
) -> list[CheckedAction]:
    """The symbol's `actions`, each beside its `bars`, a bars frame."""
    table = pd.DataFrame({"close": bars["close"], "limit": _limits(symbol, bars, rules)})
    return [_checked(one, [other for other in actions if other.session == one.session], table) for one in actions]


def _limits(symbol: str, bars: pd.DataFrame, rules: BarRules) -> Floats:
    """As the sieve has them for bad ticks, in logarithms; NaN where too few bars are known to say."""
    own, closes = class_rules(symbol), bars["close"].to_numpy()
    scale = daily_scale(np.log(np.where(closes > 0, closes, np.nan)))
    return np.maximum(scale * rules.bad_tick_scales * own.wildness, own.least_move)


def _checked(action: Action, of_session: Sequence[Action], table: pd.DataFrame) -> CheckedAction:
    """`of_session`: all of the same ex-date, for there may be a dividend and a split on one."""
    told = (action.symbol, action.session, action.kind, action.value, action.provider)
    place = int(table.index.searchsorted(pd.Timestamp(action.session)))
    if not 0 < place < len(table) or table.index[place].date() != action.session:
        return CheckedAction(*told)
    before, close = table["close"].iloc[place - 1 : place + 1].tolist()
    paid = fsum(one.value for one in of_session if one.kind == "dividend")
    if before <= paid or close <= 0:
        return CheckedAction(*told)
    expected = (before - paid) * prod(one.left for one in of_session)
    rest, limit = log(close / expected), float(table["limit"].iloc[place])
    return CheckedAction(
        *told,
        move_pct=100 * (close / before - 1),
        explained_pct=100 * (expected - before) / before,
        rest_pct=100 * expm1(rest),
        limit_pct=None if isnan(limit) else 100 * expm1(limit),
        broken=abs(rest) > limit,
    )

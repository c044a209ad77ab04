"""What else is known of a bar that looks wrong beside its neighbours: actions of its company, and the other symbols."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from math import log

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from daemon.bars.demergers import known_demergers, price_steps
from daemon.config.settings import Settings
from daemon.services import context_symbols
from ensemble.validation.price_path import daily_scale
from ensemble.validation.rules import Series
from storage.action_store import read_actions
from storage.feeds import History

LEAST_STEP = 0.05
"""In logarithms: a smaller dividend makes no bar look wrong."""
LEAST_CROWD = 2


def with_evidence(
    conn: Connection, settings: Settings, series: Series, told: Mapping[str, History], closes: "pd.Series[float]"
) -> Series:
    """The series with what the feed said just now of others, `told`, and of actions; `closes` are its own."""
    symbol = series.symbol
    actions = read_actions(conn, [symbol])
    fallen = price_steps(known_demergers(settings, actions)).get(symbol, {})
    paid = {pd.Timestamp(one.session): one.value for one in actions if one.kind == "dividend"}
    newest = told[symbol].actions
    paid |= dict(zip(pd.DatetimeIndex(newest.index), newest["dividend"].tolist(), strict=True))
    return replace(
        series, steps={**dividend_steps(paid, closes), **fallen}, crowd=crowd_of(symbol, told, _exchanges(settings))
    )


def dividend_steps(paid: Mapping[pd.Timestamp, float], closes: "pd.Series[float]") -> dict[date, float]:
    """By ex-date, what is left of the close before by a dividend of more than LEAST_STEP."""
    left = {}
    for day, value in paid.items():
        before = closes[closes.index < day]
        if len(before) and 0 < value < before.iloc[-1] and -log(1 - value / before.iloc[-1]) > LEAST_STEP:
            left[day.date()] = 1 - float(value / before.iloc[-1])
    return left


def crowd_of(symbol: str, told: Mapping[str, History], exchanges: Mapping[str, str]) -> "pd.Series[float] | None":
    """By session, the median move of the exchange's other symbols, in daily scales of their own; None where they are
    fewer than two.
    """
    others = [one for one in told if one != symbol and exchanges.get(one) == exchanges.get(symbol)]
    moves = pd.DataFrame({one: _scaled_moves(told[one].bars["close"]) for one in others})
    if len(others) < LEAST_CROWD:
        return None
    return moves.median(axis=1).where(moves.notna().sum(axis=1) >= LEAST_CROWD)


def _scaled_moves(closes: "pd.Series[float]") -> "pd.Series[float]":
    closes = closes[closes.index.notna() & ~closes.index.duplicated() & (closes > 0).to_numpy()].sort_index()
    logs = np.log(closes.to_numpy())
    return pd.Series(np.diff(logs, prepend=np.nan) / daily_scale(logs), index=closes.index)


def _exchanges(settings: Settings) -> dict[str, str]:
    market = settings.market
    return dict.fromkeys((*market.symbols, *market.peers), market.exchange) | context_symbols(market.context)

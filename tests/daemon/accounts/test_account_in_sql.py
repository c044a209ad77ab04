"""The stored account, asked in SQL alone: cash from the movements, worth from the bars, trades from both ends."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daemon.backtests.backtest import backtest
from daemon.services import Services
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]

MOVES = """
    moves AS (
      SELECT number, session, symbol, kind, reason, price, amount, quantity,
             CASE direction WHEN 'SHORT' THEN -quantity ELSE quantity END AS signed
      FROM account_events WHERE origin = :origin),
    flows AS (
      SELECT number, session, symbol,
             CASE kind WHEN 'OPENED' THEN amount
                       WHEN 'ENTERED' THEN -signed * price - amount
                       WHEN 'EXITED' THEN signed * price - amount
                       WHEN 'DIVIDEND_PAID' THEN amount WHEN 'DIVIDEND' THEN amount
                       WHEN 'DEMERGER' THEN amount WHEN 'CASH_IN_LIEU' THEN amount
                       ELSE 0 END AS cash,
             CASE kind WHEN 'ENTERED' THEN signed WHEN 'EXITED' THEN -signed ELSE 0 END AS shares
      FROM moves)"""

MARKS = f"""
    WITH {MOVES},
    owned AS (
      SELECT marks.session, flows.symbol, sum(flows.shares) AS shares
      FROM account AS marks JOIN flows ON flows.session <= marks.session
      WHERE marks.origin = :origin AND flows.symbol IS NOT NULL GROUP BY marks.session, flows.symbol),
    valued AS (
      SELECT session, shares, (SELECT close FROM bars WHERE bars.symbol = owned.symbol AND superseded_at IS NULL
                                 AND bars.session <= owned.session ORDER BY bars.session DESC LIMIT 1) AS close
      FROM owned WHERE shares <> 0)
    SELECT marks.session, marks.cash, (SELECT sum(cash) FROM flows WHERE flows.session <= marks.session),
           marks.equity - marks.cash - marks.receivable, coalesce(sum(shares * close), 0),
           marks.exposure, coalesce(sum(abs(shares) * close), 0), marks.positions, count(close),
           marks.peak_equity, max(max(marks.equity) OVER (ORDER BY marks.session), :capital)
    FROM account AS marks LEFT JOIN valued ON valued.session = marks.session
    WHERE marks.origin = :origin GROUP BY marks.session ORDER BY marks.session"""

TRADES = f"""
    WITH {MOVES},
    pairs AS (
      SELECT *, lag(kind) OVER own AS before, lag(session) OVER own AS entered, lag(price) OVER own AS paid,
             lag(amount) OVER own AS entry_fees
      FROM moves WHERE kind IN ('ENTERED', 'EXITED') WINDOW own AS (PARTITION BY symbol ORDER BY number))
    SELECT symbol, entered, paid, session, price, reason, entry_fees + amount,
           signed * (price - paid) - entry_fees - amount
    FROM pairs WHERE kind = 'EXITED' AND before = 'ENTERED' ORDER BY session, symbol"""
STORED_TRADES = """
    SELECT symbol, entry_session, entry_price, exit_session, exit_price, exit_reason, cost, profit
    FROM trades WHERE origin = :origin ORDER BY exit_session, symbol"""


def asked(engine: Engine, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with reading(engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql), parameters)]


@pytest.fixture(params=["cash", pytest.param("futures", marks=pytest.mark.slow)])
def replayed(request: pytest.FixtureRequest, copy: Path) -> Path:
    """The lived installation with two symbols that are traded often, for a month that is trained already."""
    config = copy / "config.toml"
    both = config.read_text().replace('symbols = ["AAA.NS"]', 'symbols = ["AAA.NS", "BBB.NS"]')
    config.write_text(both.replace('peers = ["BBB.NS"]', "peers = []") + f'product = "{request.param}"\n')
    return copy


def test_every_mark_and_trade_of_a_backtest_is_what_sql_makes_of_events_and_bars(
    replayed: Path, services_at: ServicesAt
) -> None:
    with services_at(replayed, "2021-12-31 20:00") as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 29))
        check(services.engine, "backtest", capital=services.settings.risk.initial_capital)
        assert len(asked(services.engine, STORED_TRADES, origin="backtest")) > 5


def test_every_mark_and_trade_that_was_lived_is_what_sql_makes_of_events_and_bars(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 20:00") as services:
        check(services.engine, "live", capital=services.settings.risk.initial_capital)


def check(engine: Engine, origin: str, *, capital: float) -> None:
    marks = asked(engine, MARKS, origin=origin, capital=capital)
    assert marks
    for session, *figures in marks:
        assert figures[::2] == pytest.approx(figures[1::2], rel=1e-9, abs=1e-6), session
    assert min(mark[1] for mark in marks) >= 0
    made, stored = asked(engine, TRADES, origin=origin), asked(engine, STORED_TRADES, origin=origin)
    assert [trade[:2] + trade[3:4] + trade[5:6] for trade in made] == [
        trade[:2] + trade[3:4] + trade[5:6] for trade in stored
    ]
    for one, other in zip(made, stored, strict=True):
        assert (*one[2:5:2], *one[6:]) == pytest.approx((*other[2:5:2], *other[6:]), rel=1e-9, abs=1e-6)

"""The threshold adviser trades as the backtest does, to the last rupee."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest

from daemon.backtests.backtest import backtest
from daemon.evaluating.evaluation import Question, gather, thresholds
from daemon.services import Services
from storage.account_store import read_marks, read_trades
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
FIRST, LAST = date(2021, 9, 28), date(2021, 10, 5)


@pytest.mark.parametrize(
    ("threshold", "risk"),
    [
        (0.5, ""),
        (0.55, ""),
        (0.7, ""),
        (0.5, 'product = "futures"'),
        (0.5, 'sizing = "volatility"\ntarget_volatility_pct = 0.05\nmax_drawdown_pct = 0.05\nhalt_sessions = 1'),
    ],
)
def test_the_account_at_a_threshold_is_the_one_that_a_backtest_with_it_leaves(
    threshold: float, risk: str, copy: Path, services_at: ServicesAt
) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("min_confidence = 0.5\n", f"min_confidence = {threshold}\n"))
    config.write_text(config.read_text() + risk)
    with services_at(copy, "2021-12-31 20:00") as services:
        backtest(services, first=FIRST, last=LAST)
        now = services.clock.now()
        with reading(services.engine) as conn:
            trades, marks = read_trades(conn, "backtest"), read_marks(conn, "backtest")
        material = gather(services.engine, services.settings, Question(FIRST, LAST), now=now)
        label, advice = thresholds(services.settings, material)
    found = next(one for one in advice if one.threshold == threshold)
    capital = services.settings.risk.initial_capital
    assert label == "gap"
    assert found.trades == len(trades)
    assert any(mark.positions for mark in marks) == (threshold < 0.7)
    assert found.return_pct == pytest.approx(100 * (marks[-1].equity / capital - 1), abs=1e-12)
    paid = [1e4 * trade.profit / (trade.quantity * trade.entry_price) for trade in trades]
    if paid:
        assert found.trade_return_bp.value == pytest.approx(sum(paid) / len(paid))

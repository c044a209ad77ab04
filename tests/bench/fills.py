"""`fills`: what a bar costs the account, beside backtesting.py on the same bars, and what it costs the labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.fills import Price, fill_exits, stop_price, target_price
from ensemble.labels import label_bars
from ensemble.trading.account import open_account, settle
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Reason, Signal
from tests.bench.measure import cpu_s, interleaved
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.ensemble.trading.plans import START, account_history, plan_of, walk

MILLION = 1_000_000
REPETITIONS = 3
VECTOR_BARS = 100_000
"""In one array: more than any market has, little enough to stay near the processor."""
LIMITS = RiskLimits(cool_down_sessions=0, max_drawdown_pct=100, max_daily_loss_pct=100)
"""Without guards: every order is filled that a loop would fill."""
RULES = TradingRules(LIMITS, Costs())
Side = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Columns:
    """Many bars as `fill_exits` takes them."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


def run(options: Options) -> Result:
    """Bars one after the other, each session bought at when nothing is held; and many bars in one array."""
    bars = [bar for bar in walk(0, options.pick(20_000, 200_000), move_pct=1.0) if bar is not None]
    repetitions = options.repetitions or REPETITIONS
    return Result(
        f"made-up bars, one symbol, {len(bars)} sessions, default stop, target and costs, CPU time",
        (*in_turn(bars, repetitions), *in_arrays(bars, repetitions)),
    )


def in_turn(bars: Sequence[Bar], repetitions: int) -> tuple[Figure, ...]:
    """The account's path: a bar at a time."""
    orders = [buy(number) for number in range(len(bars))]
    plan = plan_of(0, bars)
    sides: dict[str, Side] = {
        "loop": lambda: cpu_s(lambda: shortest_loop(bars)),
        "settle": lambda: cpu_s(lambda: settle_all(bars, orders, RULES)),
        "decide": lambda: cpu_s(lambda: account_history(plan)),
        "theirs": their_side(bars),
    }
    runs = per_million(interleaved(sides, repetitions), len(bars))
    return (
        median_figure("a loop that only knows stop, target and time", runs["loop"], "s per 1,000,000 bars"),
        median_figure("settle, always in a position", runs["settle"], "s per 1,000,000 bars"),
        median_figure("decide and settle", runs["decide"], "s per 1,000,000 bars"),
        median_figure("backtesting.py, the same orders", runs["theirs"], "s per 1,000,000 bars"),
        ratio_figure("settle : loop", runs["settle"], runs["loop"]),
        ratio_figure("backtesting.py : settle", runs["theirs"], runs["settle"]),
    )


def in_arrays(bars: Sequence[Bar], repetitions: int) -> tuple[Figure, ...]:
    """The labels' path: all bars at once."""
    columns = columns_of(bars, VECTOR_BARS)
    stop, target = barriers(columns.open)
    frame = frame_of(bars)
    passes = 20
    sides: dict[str, Side] = {
        "plain": lambda: cpu_s(lambda: [plain_pass(columns, stop, target) for _ in range(passes)]),
        "fills": lambda: cpu_s(
            lambda: [fill_exits(columns, stop=stop, target=target, last=True) for _ in range(passes)]
        ),
    }
    runs = per_million(interleaved(sides, repetitions), passes * VECTOR_BARS)
    labels = [
        cpu_s(lambda: label_bars(frame, sessions=pd.DatetimeIndex(frame.index), limits=LIMITS))
        for _ in range(repetitions)
    ]
    return (
        median_figure("NumPy: which bars reach stop or target", runs["plain"], "s per 1,000,000 bars"),
        median_figure("fill_exits on arrays", runs["fills"], "s per 1,000,000 bars"),
        ratio_figure("fill_exits : NumPy", runs["fills"], runs["plain"]),
        median_figure("all four labels", [MILLION * one / len(frame) for one in labels], "s per 1,000,000 bars"),
    )


def per_million(runs: dict[str, list[float]], bars: int) -> dict[str, list[float]]:
    """Seconds for a million bars instead of so many."""
    return {name: [MILLION * one / bars for one in many] for name, many in runs.items()}


def settle_all(bars: Sequence[Bar], orders: Sequence[Signal], rules: TradingRules) -> int:
    """How many trades the account makes of an order to buy before every session."""
    account, trades = open_account(LIMITS), 0
    for bar, order in zip(bars, orders, strict=True):
        settlement = settle(account, session=order.session, bars={"A": bar}, signals=[order], rules=rules)
        account, trades = settlement.account, trades + len(settlement.trades)
    return trades


def buy(number: int) -> Signal:
    """One lot at the open of a session."""
    return Signal(
        session=START + timedelta(days=number),
        symbol="A",
        label="open_to_close",
        action=Action.BUY,
        probability=0.9,
        confidence=0.9,
        quantity=10,
        reference_price=None,
        stop_loss_pct=LIMITS.stop_loss_pct,
        take_profit_pct=LIMITS.take_profit_pct,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=1e9,
    )


def shortest_loop(bars: Sequence[Bar]) -> int:
    """As many trades by the least that Python can do: no account, no costs, no size."""
    trades, held, stop, target = 0, 0, 0.0, 0.0
    for bar in bars:
        if bar.high == bar.low:
            held += held > 0
            continue
        if not held:
            stop, target = barriers(bar.open)
        held += 1
        if bar.low <= stop or bar.high >= target or held >= LIMITS.max_holding_sessions:
            trades, held = trades + 1, 0
    return trades


def barriers(entry: Price) -> tuple[Price, Price]:
    """Stop and target of an entry at this price, or at each of these."""
    return stop_price(entry, LIMITS.stop_loss_pct), target_price(entry, LIMITS.take_profit_pct)


def plain_pass(columns: Columns, stop: Floats, target: Floats) -> Floats:
    """The least that NumPy can do: two comparisons and a choice."""
    return np.where(columns.low <= stop, stop, np.where(columns.high >= target, target, columns.close))


def columns_of(bars: Sequence[Bar], count: int) -> Columns:
    """The bars over and over, `count` in all."""
    frame = frame_of(bars)
    return Columns(*(np.resize(frame[name].to_numpy(), count) for name in ("open", "high", "low", "close")))


def frame_of(bars: Sequence[Bar]) -> pd.DataFrame:
    """A frame of the bars, session after session."""
    prices = [(bar.open, bar.high, bar.low, bar.close) for bar in bars]
    days = pd.date_range(START, periods=len(bars), name="session", unit="s")
    return pd.DataFrame(prices, days, ["open", "high", "low", "close"])


def their_side(bars: Sequence[Bar]) -> Side:
    """CPU-seconds of a run of backtesting.py that buys whenever it holds nothing. It is loaded before it is timed."""
    from backtesting import Backtest, Strategy

    from tests.ensemble.trading.independent_engine import statistics

    class Buyer(Strategy):  # type: ignore[misc]  # it has no types
        def init(self) -> None:
            pass

        def next(self) -> None:
            for trade in self.trades:
                if len(self.data) - trade.entry_bar >= LIMITS.max_holding_sessions:
                    trade.close()
            if not self.trades:
                stop, target = barriers(float(self.data.Close[-1]))
                self.buy(size=10, sl=stop, tp=target)

    minutes = pd.date_range("2000-01-03", periods=len(bars), freq="min")
    frame = frame_of(bars).set_axis(minutes).rename(columns=str.capitalize)
    theirs: Any = Backtest(frame, Buyer, cash=LIMITS.initial_capital, commission=0.0012)
    return lambda: cpu_s(lambda: statistics(theirs))

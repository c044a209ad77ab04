"""What closed positions earned: how many won, how much, and what was left of it after costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats
from ensemble.fills import ExitReason
from ensemble.trading.account import Trade
from ensemble.trading.costs import BP, Costs, Product, Side
from ensemble.trading.rules import TradingRules


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """Closed positions after all costs. None where a figure is not defined, as all are without a trade."""

    trades: int
    hit_rate_pct: float | None
    """Share with a profit above 0."""
    mean_trade_bp: float | None
    """Mean profit of a trade, basis points of what was paid for its shares."""
    payoff_ratio: float | None
    """Mean profit of those that won over the mean loss of those that lost, in currency."""
    profit_factor: float | None
    """All that was won over all that was lost, in currency."""
    expectancy: float | None
    """Mean profit of a trade, in currency."""
    profit: float
    """Of all of them, in currency."""
    income: float
    """Dividends and other cash received while they were held, which the profit counts, in currency."""
    holding_sessions: float | None
    """Mean number of sessions in which a position was held, its entry's and its exit's included."""


@dataclass(frozen=True, slots=True)
class CostFigures:
    """What trading took, in currency; closed positions alone."""

    fees: float
    slippage: float
    """What the fills were worse than the prices seen."""
    gross_profit: float
    """What would have been earned without either, dividends included."""
    share_of_gross_pct: float | None
    """Fees and slippage, of the gross profit; above 100 they took more than was earned. None without a gross profit."""
    a_year_pct: float | None
    """Fees and slippage a year, of the mean equity."""


def trade_figures(trades: Sequence[Trade], sessions: Sequence[date]) -> TradeFigures:
    """The figures of `trades`, which were entered and left in these consecutive `sessions`."""
    profits = np.array([trade.profit for trade in trades], dtype=np.float64)
    place = {session: number for number, session in enumerate(sessions)}
    held = [place[trade.exit_session] - place[trade.entry_session] + 1 for trade in trades]
    won, lost = profits[profits > 0], -profits[profits < 0]
    return TradeFigures(
        trades=len(trades),
        hit_rate_pct=100 * len(won) / len(trades) if trades else None,
        mean_trade_bp=float(trade_returns_bp(trades).mean()) if trades else None,
        payoff_ratio=float(won.mean() / lost.mean()) if len(won) and len(lost) else None,
        profit_factor=float(won.sum() / lost.sum()) if len(lost) else None,
        expectancy=float(profits.mean()) if trades else None,
        profit=float(profits.sum()),
        income=sum((trade.income for trade in trades), 0.0),
        holding_sessions=float(np.mean(held)) if trades else None,
    )


def trade_returns_bp(trades: Sequence[Trade]) -> Floats:
    """Profit of each after all costs, basis points of what was paid for its shares, (n_trades,)."""
    paid = [trade.quantity * trade.entry_price for trade in trades]
    return np.array([trade.profit / value / BP for trade, value in zip(trades, paid, strict=True)], dtype=np.float64)


def cost_figures(trades: Sequence[Trade], *, costs: Costs, mean_equity: float, years: float) -> CostFigures:
    """What `trades` cost in `years` years."""
    fees = sum((trade.cost for trade in trades), 0.0)
    slipped = sum((slippage(trade, costs) for trade in trades), 0.0)
    gross = sum((trade.profit for trade in trades), 0.0) + fees + slipped
    return CostFigures(
        fees=fees,
        slippage=slipped,
        gross_profit=gross,
        share_of_gross_pct=100 * (fees + slipped) / gross if gross > 0 else None,
        a_year_pct=100 * (fees + slipped) / years / mean_equity if years > 0 else None,
    )


def slippage(trade: Trade, costs: Costs) -> float:
    """What the two fills of a trade were worse than the prices seen, in currency; 0 or more."""
    entry, left = prices_seen(trade, costs)
    return trade.direction.sign * trade.quantity * ((trade.entry_price - entry) + (left - trade.exit_price))


def prices_seen(trade: Trade, costs: Costs) -> tuple[float, float]:
    """The prices on the screen at entry and exit, a share: the fills without slippage.

    The entry's is its bar's open; the exit's is the open for a signal, the close at the end of the holding time, the
    open or the stop, whichever was worse. A target is a limit order and does not slip.
    """
    worse = trade.direction.sign * costs.slippage_bp * BP
    left = trade.exit_price if trade.exit_reason is ExitReason.TARGET else trade.exit_price / (1 - worse)
    return trade.entry_price / (1 + worse), left


def round_trip_bp(rules: TradingRules, *, session: date) -> float:
    """Fees and slippage of buying and selling at the same price, basis points of it; of a usual position."""
    value = rules.limits.initial_capital * rules.limits.position_pct / 100
    product = Product.FUTURES if rules.limits.product == "futures" else Product.DELIVERY
    fees = (rules.fees(side, value, session=session, product=product) for side in (Side.BUY, Side.SELL))
    return 2 * rules.costs.slippage_bp + sum(fees) / value / BP

"""How the split of an edge is shown: what the price did before the open, and after it."""

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from daemon.console.number_cells import interval, number
from daemon.console.tables import new_table
from ensemble.counted import counted
from ensemble.evaluation.edge_split import EdgeSplit
from ensemble.evaluation.trade_figures import round_trip_bp
from ensemble.trading.rules import TradingRules


def edge_table(console: Console, edges: Sequence[EdgeSplit]) -> Table:
    """A row a label, group of stocks and confidence."""
    title = "Where the edge lies: the session's move on the side that was forecast, basis points a forecast"
    columns = ("label", "stocks", "at least", "forecasts", "before the open", "interval", "after the open", "interval")
    table = new_table(console, title, *columns, left=2)
    for edge in edges:
        table.add_row(
            edge.label,
            edge.symbols[0] if len(edge.symbols) == 1 else counted(len(edge.symbols), "stock"),
            f"{edge.min_confidence:.2f}",
            f"{edge.forecasts:,}",
            number(edge.before_open.value, 1),
            interval(edge.before_open, 1),
            number(edge.after_open.value, 1),
            interval(edge.after_open, 1),
        )
    return table


def round_trip_line(rules: TradingRules, *, session: date) -> str:
    """What stands between a move and a profit."""
    return (
        "Nobody earns the move before the open, for orders are filled at it. To enter and leave costs "
        f"{round_trip_bp(rules, session=session):.0f} bp in fees and slippage."
    )

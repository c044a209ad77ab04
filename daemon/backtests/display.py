"""How a backtest is shown: the forecasts' scores, the account beside its baselines, where the edge lies, the trades."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from daemon.accounts.performance_display import chance_line, odds_lines, part_tables, performance_table
from daemon.backtests.backtest import Replayed
from daemon.backtests.edge_display import edge_table, round_trip_line
from daemon.backtests.files import everything, write_files
from daemon.backtests.report import BacktestReport, backtest_report
from daemon.console.display import account_line
from daemon.console.tables import new_table, open_console, print_json
from daemon.services import Services
from ensemble.counted import counted
from ensemble.evaluation.right_share import LabelScore


def show_backtest(services: Services, replayed: Sequence[Replayed], *, out: Path | None, as_json: bool) -> None:
    """All of it on the console or as JSON, and as files in the folder `out`; nothing of the held-out sessions."""
    report = backtest_report(services, replayed)
    costs = services.settings.costs
    if isinstance(report, str):
        print_json({"held_back": report}) if as_json else open_console().print(report)
        return
    written = () if out is None else write_files(report, costs, out)
    if as_json:
        print_json(everything(report, costs))
        return
    console = open_console()
    for part in _shown(console, report, services):
        console.print(part, soft_wrap=isinstance(part, str))
    if written:
        console.print("Written: " + ", ".join(str(path) for path in written), soft_wrap=True)


def _shown(console: Console, report: BacktestReport, services: Services) -> Iterator[Table | str]:
    account, settings = report.account, services.settings
    (first, last), mark = report.span, report.replayed[-1].settlement.mark
    title = f"{first} to {last}: {counted(len(report.replayed), 'session')}, every symbol of the panel, out of sample"
    yield _score_table(console, report.scores, title)
    yield edge_table(console, report.edges)
    yield round_trip_line(settings.rules, session=last)
    yield performance_table(console, account, ", ".join(settings.market.symbols))
    yield chance_line(account)
    yield from odds_lines(account.odds)
    yield from part_tables(console, account)
    bought = sum(signal.action == "BUY" for signal in report.signals)
    closed, held = counted(len(report.path.trades), "trade"), counted(mark.positions, "position")
    yield f"Signals: {bought} BUY; {closed} closed, {held} open"
    yield account_line(mark, settings)
    if report.held_back:
        yield report.held_back


def _score_table(console: Console, scores: Sequence[LabelScore], title: str) -> Table:
    columns = ("label", "forecasts", "right %", "95 % interval", "constant %", "log loss", "constant's")
    table = new_table(console, title, *columns)
    for score in scores:
        table.add_row(
            score.label,
            str(score.forecasts),
            f"{score.right_pct:.1f}",
            f"{score.right_from_pct:.1f} to {score.right_to_pct:.1f}",
            f"{score.constant_pct:.1f}",
            f"{score.log_loss:.4f}",
            f"{score.base_log_loss:.4f}",
        )
    return table

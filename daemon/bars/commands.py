"""The commands `bars ...`: how far bars can be trusted, and what a person says of those that cannot."""

from collections import defaultdict
from datetime import UTC, date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from daemon.bars.quarantine_commands import quarantine_app
from daemon.console.completion import complete_symbol

bars_app = typer.Typer(help="Look after the bars.", no_args_is_help=True)
bars_app.add_typer(quarantine_app, name="quarantine")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Symbol = Annotated[str, typer.Argument(autocompletion=complete_symbol, help="As the configuration writes it.")]


@bars_app.command("check")
def check(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of SYMBOL.csv files; default feed.files.path.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with the bars of a folder, and how that compares with its ANOMALIES.csv, if it has one."""
    from daemon.bars.check import check_folder
    from daemon.bars.check_display import show_checked
    from daemon.clock import SystemClock

    settings = context.obj.settings()
    place = folder or settings.feed.files.path
    if place is None:
        raise typer.BadParameter("give a folder, or set feed.files.path.", param_hint="FOLDER")
    show_checked(check_folder(place, settings, today=SystemClock().now().date()), as_json=as_json)


@bars_app.command("as-of")
def as_of(
    context: typer.Context,
    day: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="End of this day, UTC.")],
    symbol: Symbol,
    last: Annotated[int, typer.Option(min=1, help="Newest sessions that are shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the bars of a symbol as they were known on a day: nothing seen later shows."""
    from daemon.bars.check_display import show_bars
    from daemon.bars.export_bars import require_bars
    from daemon.invocation import reader
    from storage.bar_store import read_bars, read_withdrawn
    from storage.engine import reading

    known_at = datetime.combine(day.date(), time(23, 59, 59), tzinfo=UTC)
    with reader(context.obj) as engine, reading(engine) as conn:
        require_bars(conn, [symbol])
        bars = read_bars(conn, [symbol], known_at=known_at)[symbol].iloc[-last:]
        shown_from = bars.index[0].date() if len(bars) == last else date.min
        withdrawn = [one for one in read_withdrawn(conn, symbol, known_at=known_at) if one.session >= shown_from]
    show_bars(bars, withdrawn, as_json=as_json)


@bars_app.command("show")
def show(
    context: typer.Context,
    symbol: Symbol,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Default: the oldest.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Default: the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the bars of a symbol as they are now."""
    from daemon.bars.check_display import show_bars
    from daemon.bars.export_bars import require_bars
    from daemon.invocation import reader
    from storage.bar_store import read_bars, read_withdrawn
    from storage.engine import reading

    begin, end = first.date() if first else date.min, last.date() if last else date.max
    with reader(context.obj) as engine, reading(engine) as conn:
        require_bars(conn, [symbol])
        bars = read_bars(conn, [symbol], first=begin)[symbol].loc[:last]
        withdrawn = [one for one in read_withdrawn(conn, symbol) if begin <= one.session <= end]
    show_bars(bars, withdrawn, as_json=as_json, nothing=f"no bar of {symbol} is stored of those days")


@bars_app.command("actions")
def actions(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", autocompletion=complete_symbol, help="Default: all stored."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show dividends, splits, demergers and what was stated, and whether prices went on over each as it says."""
    from daemon.bars.action_check import check_actions
    from daemon.bars.action_display import show_actions
    from daemon.bars.demergers import with_listed
    from daemon.bars.export_bars import require_bars
    from daemon.invocation import reader
    from storage.action_store import read_actions
    from storage.bar_store import newest_sessions, read_bars
    from storage.engine import reading

    settings = context.obj.settings()
    with reader(context.obj) as engine, reading(engine) as conn:
        require_bars(conn, symbols or ())
        known = defaultdict(list)
        for one in with_listed(settings, read_actions(conn, symbols or None)):
            known[one.symbol].append(one)
        checked = [
            check_actions(symbol, known[symbol], read_bars(conn, [symbol])[symbol], rules=settings.bars)
            for symbol in sorted(known.keys() & (symbols or newest_sessions(conn).keys()))
        ]
    show_actions(list(chain.from_iterable(checked)), as_json=as_json)


@bars_app.command("state")
def state_command(  # noqa: PLR0913 - one for each argument
    context: typer.Context,
    symbol: Symbol,
    ex_date: Annotated[
        datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="First session without it.")
    ],
    kind: Annotated[str, typer.Argument(help="bonus, rights or demerger.")],
    value: Annotated[
        str,
        typer.Argument(
            help="Of a bonus the shares for each one before, 4/3; of rights or a demerger the part of the close before "
            "that left the share, 261.85/2841.85. none takes back what was stated."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """State what a company did to its share and the feed does not tell. The daemon may run."""
    from daemon.bars.stating import TAKEN_BACK, state
    from daemon.clock import SystemClock
    from daemon.console.tables import print_json
    from daemon.invocation import upgraded

    settings, day = context.obj.settings(), ex_date.date()
    with upgraded(context.obj, read_only=False) as engine:
        new = state(engine, settings, told=(symbol, day, kind, value), now=SystemClock().now())
    if as_json:
        print_json({"symbol": symbol, "session": day, "kind": kind, "taken_back": value == TAKEN_BACK, "new": new})
        return
    if value == TAKEN_BACK:
        what = "is known no more from now on" if new else "was never stated"
    else:
        what = "is known from now on" if new else "was known already"
    typer.echo(f"{kind} of {symbol} on {day} {what}")

"""The commands `backfill`, `import` and `bars export`."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.console.completion import complete_symbol
from daemon.invocation import clock_at, services_of, upgraded
from ensemble.counted import counted

if TYPE_CHECKING:
    from daemon.bars.backfill import Backfill

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="As of this instant; default now.")]
Symbols = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SYMBOL]...", autocompletion=complete_symbol, help="Default: all that are configured."),
]


def backfill_command(context: typer.Context, symbols: Symbols = None, now: Now = None, as_json: AsJson = False) -> None:
    """Read the whole history of every symbol of which it was not read yet, one after the other; exit 1 when one fails.

    With an earlier market.history_start, that is what is older than the stored bars too.
    Interrupt it as you like: the next call goes on with what is missing.
    """
    from daemon.bars.backfill import backfill

    with services_of(context.obj, clock_at(now), quiet=as_json) as services:
        _show(backfill(services, symbols or ()), as_json=as_json)


def import_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of SYMBOL.csv or SYMBOL.parquet files in Yahoo's columns.")],
    symbols: Symbols = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Take the history of symbols that have none yet from a folder, once; exit 1 when one fails."""
    from daemon.bars.backfill import import_bars

    with services_of(context.obj, clock_at(now), quiet=as_json) as services:
        _show(import_bars(services, folder, symbols or ()), as_json=as_json)


def export_command(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder to write one file a symbol into.")],
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", autocompletion=complete_symbol, help="Default: all that are stored."),
    ] = None,
    form: Annotated[Literal["csv", "parquet"], typer.Option("--format", help="Of the files.")] = "csv",
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="As known at the end of this day, UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write bars as files in Yahoo's columns, which `import` and the feed "files" read. The daemon may run."""
    from datetime import UTC, time

    from daemon.bars.export_bars import export_bars
    from daemon.console.tables import print_json

    known_at = None if as_of is None else datetime.combine(as_of, time(23, 59, 59), UTC)
    with upgraded(context.obj, read_only=True) as engine:
        counts = dict(export_bars(engine, out, symbols or (), form=form, known_at=known_at))
    if as_json:
        print_json({"folder": out, "bars": counts})
    else:
        bars = counted(sum(counts.values()), "bar", ",")
        typer.echo(f"{bars} of {counted(len(counts), 'symbol')} written to {out}")


def _show(done: "Backfill", *, as_json: bool) -> None:
    from daemon.console.tables import print_json

    if as_json:
        print_json(asdict(done))
    else:
        for one in done.failed:
            typer.echo(f"{one.symbol}: {one.failure}", err=True)
        typer.echo(done.line())
    raise typer.Exit(1 if done.failed else 0)

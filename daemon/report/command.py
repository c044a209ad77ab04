"""The command `report`: everything on one page. It reads, and needs no lock."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from daemon.console.completion import complete_symbol
from daemon.invocation import clock_at, reader


def report_command(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="File to write; default report.html in the state.")] = None,
    symbol: Annotated[
        str | None,
        typer.Option(help="One symbol, traded or a peer; default all traded.", autocompletion=complete_symbol),
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session; default report.years ago.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session; default the newest.")
    ] = None,
    now: Annotated[str | None, typer.Option("--now", metavar="ISO", help="Judge health as of this instant.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write all there is to see as one HTML file that any browser opens, without a network."""
    from daemon.console.tables import print_json
    from daemon.report.material import Asked
    from daemon.report.write import write_report

    settings = context.obj.settings()
    asked = Asked(symbol, first.date() if first else None, last.date() if last else None)
    path = out or settings.report.path(settings.storage.state_dir)
    with reader(context.obj) as engine:
        size = write_report(engine, settings, asked, now=clock_at(now).now(), path=path)
    if as_json:
        print_json({"file": path, "bytes": size})
    else:
        typer.echo(f"{path}, {size / 1e6:.1f} MB")

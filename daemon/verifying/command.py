"""The command `verify`: is what is stored what the same bars, models and settings give?"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.clock import SystemClock
from daemon.invocation import reader
from ensemble.counted import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from daemon.verifying.replay import NotReplayed
    from daemon.verifying.verify import Verified
    from storage.compared_rows import Difference

SHOWN = 20
"""Differences on a terminal; JSON has all."""


def verify_command(
    context: typer.Context,
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First session.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last session; default the newest.")
    ] = None,
    allow_unreplayed: Annotated[
        bool,
        typer.Option("--allow-unreplayed", help="Exit 0 also when some cannot be replayed, if all others are equal."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Replay stored live sessions from the bars, models and settings of then; exit 0 only when every row is equal."""
    from daemon.console.progress import shown
    from daemon.services import Services
    from daemon.verifying.verify import verify
    from storage.feeds import open_feed
    from storage.model_store import ModelStore

    settings = context.obj.settings()
    models = ModelStore(settings.storage.models_dir, read_only=True)
    with reader(context.obj) as engine:
        services = Services(settings, SystemClock(), engine, models, open_feed(settings.feed), shown)
        verified = verify(services, since=since.date(), until=None if until is None else until.date())
    passes = verified.passes(allow_unreplayed=allow_unreplayed)
    _show(verified, passes=passes, as_json=as_json)
    raise typer.Exit(0 if passes else 1)


def _show(verified: "Verified", *, passes: bool, as_json: bool) -> None:
    from daemon.console.tables import open_console, print_json

    if as_json:
        print_json({"passes": passes} | asdict(verified))
        return
    console: Console = open_console()
    if verified.differences:
        console.print(_difference_table(console, verified.differences))
    if verified.not_replayed:
        console.print(_unreplayed_table(console, verified.not_replayed))
    found = f"{len(verified.differences)} differences" if verified.differences else "all equal"
    unreplayed = f"; {len(verified.not_replayed)} could not be replayed" if verified.not_replayed else ""
    console.print(
        f"{verified.first} to {verified.last}: {verified.replayed} decisions and settlements replayed, "
        f"{counted(verified.rows, 'row')} compared: {found}{unreplayed}"
    )


def _difference_table(console: "Console", found: "Sequence[Difference]") -> "Table":
    from daemon.console.tables import new_table

    left = f", the first {SHOWN} of {len(found)}; --json lists all" if len(found) > SHOWN else ""
    columns = ("session", "symbol", "table", "column", "stored", "replayed")
    table = new_table(console, f"Differences{left}", *columns, left=4)
    for one in found[:SHOWN]:
        column = f"{one.column} ({one.row})" if one.row else one.column
        table.add_row(one.session, one.symbol, one.table, column.strip(), str(one.stored), str(one.replayed))
    return table


def _unreplayed_table(console: "Console", unreplayed: "Sequence[NotReplayed]") -> "Table":
    """One line for each reason and stretch: a whole ledger may have one reason."""
    from daemon.console.tables import new_table

    table = new_table(console, "Not replayed", "from", "to", "what", "why", left=4)
    for why, group in groupby(unreplayed, key=lambda one: one.why):
        many = list(group)
        kinds = ", ".join(sorted({one.kind for one in many}))
        table.add_row(f"{many[0].session}", f"{many[-1].session}", f"{len(many)} {kinds}", why)
    return table

"""The commands `bars quarantine ...`: what was refused, and what a person says of it. The daemon may run."""

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from daemon.console.completion import complete_symbol

quarantine_app = typer.Typer(help="Refused bars, and what people say of them.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the refusal, as `list` shows it.")]
Note = Annotated[str, typer.Option(help="Why; kept with the decision.")]


@quarantine_app.command("list")
def list_refused(
    context: typer.Context,
    symbol: Annotated[str | None, typer.Option(autocompletion=complete_symbol, help="Of one symbol alone.")] = None,
    decided: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show refused bars with their values, and the closes before and after."""
    from daemon.bars.check_display import show_refused
    from daemon.invocation import reader
    from storage.engine import reading
    from storage.quarantine_store import read_quarantine

    with reader(context.obj) as engine, reading(engine) as conn:
        found = read_quarantine(conn, symbol=symbol, decided=decided)
    show_refused(found, as_json=as_json)


@quarantine_app.command("accept")
def accept(context: typer.Context, number: Number, note: Note = "", as_json: AsJson = False) -> None:
    """Believe a refused bar: it is known from now on, as a version like any other."""
    _decide(context, number, "accepted", note, as_json=as_json)


@quarantine_app.command("reject")
def reject(context: typer.Context, number: Number, note: Note = "", as_json: AsJson = False) -> None:
    """Keep a refused bar out for good, also where a rule would let it in later."""
    _decide(context, number, "rejected", note, as_json=as_json)


def _decide(context: typer.Context, number: int, verdict: str, note: str, *, as_json: bool) -> None:
    from sqlalchemy import select

    from daemon.clock import SystemClock
    from daemon.console.tables import print_json
    from daemon.services import context_symbols
    from storage.engine import open_store, transaction
    from storage.quarantine_store import Decision, decide
    from storage.tables import quarantine

    settings = context.obj.settings()
    decision = Decision(verdict, getpass.getuser(), note, SystemClock().now())
    engine = open_store(settings.storage.database_url, group_read=settings.storage.group_read)
    try:
        with transaction(engine) as conn:
            symbol = conn.scalar(select(quarantine.c.symbol).where(quarantine.c.id == number))
            complete = symbol not in context_symbols(settings.market.context)
            done = decide(conn, number, decision, complete=complete)
    finally:
        engine.dispose()
    if as_json:
        print_json(asdict(done))
        return
    session = "no date" if done.session is None else str(done.session)
    typer.echo(f"{verdict}: bar {number}, {done.symbol} of {session}, which was refused for {done.reason}")

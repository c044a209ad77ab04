"""The commands `account`, `positions` and `trades`: the paper account, looked at. They need no lock."""

from datetime import date, datetime
from typing import Annotated, Literal

import typer

from daemon.clock import SystemClock
from daemon.invocation import reader

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Whose = Annotated[Literal["live", "backtest"], typer.Option(help="The live account, or that of the last backtest.")]


def account_command(context: typer.Context, origin: Whose = "live", as_json: AsJson = False) -> None:
    """Show what the paper account is worth, since when, how far below its best, and what halts it."""
    from daemon.accounts.display import show_account

    with reader(context.obj) as engine:
        show_account(engine, context.obj.settings(), origin, now=SystemClock().now(), as_json=as_json)


def positions_command(context: typer.Context, origin: Whose = "live", as_json: AsJson = False) -> None:
    """Show what the paper account holds, with stop and target, profit so far, and sessions left."""
    from daemon.accounts.display import show_positions

    with reader(context.obj) as engine:
        show_positions(engine, context.obj.settings(), origin, as_json=as_json)


def trades_command(
    context: typer.Context,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session of an exit.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session of one.")] = None,
    origin: Whose = "live",
    as_json: AsJson = False,
) -> None:
    """Show the closed positions, why each was closed, what it cost and brought, and the sum."""
    from daemon.accounts.display import show_trades

    span = (first.date() if first else date.min, last.date() if last else date.max)
    with reader(context.obj) as engine:
        show_trades(engine, context.obj.settings(), origin, span, as_json=as_json)

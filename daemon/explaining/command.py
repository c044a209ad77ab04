"""The command `explain`: why a stored forecast and signal are what they are. It reads, and needs no lock."""

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.clock import SystemClock
from daemon.console.completion import complete_symbol
from daemon.invocation import reader
from ensemble.labels import Label

if TYPE_CHECKING:
    from daemon.explaining.stored import Question
    from daemon.services import Services
    from storage.tables import Origin

NEWEST = "newest"


def explain_command(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="A date, e.g. 2021-10-01, or newest.")],
    symbol: Annotated[
        str | None, typer.Argument(autocompletion=complete_symbol, help="Default: every traded symbol.")
    ] = None,
    label: Annotated[Label | None, typer.Option(help="Which forecast; default the one that was traded.")] = None,
    origin: Annotated[Literal["live", "backtest"], typer.Option(help="Which row.")] = "live",
    features: Annotated[int, typer.Option(min=1, max=1000, help="How many features to show; JSON has all.")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Say why a forecast and signal are what they are: what was known, who spoke, what moved it, which rules bound."""
    from daemon.console.tables import open_console, print_json
    from daemon.explaining.display import show_explanation
    from daemon.explaining.explain import explain, onlooker

    settings = context.obj.settings()
    with reader(context.obj) as engine:
        services = onlooker(engine, settings, SystemClock())
        symbols = (symbol,) if symbol else settings.market.symbols
        asked = [_question(services, session, one, label, origin) for one in symbols]
        explained = [explain(services, question) for question in asked]
    if as_json:
        print_json([asdict(one) for one in explained])
        return
    console = open_console()
    for one in explained:
        show_explanation(console, one, settings, features=features)


def _question(services: "Services", session: str, symbol: str, label: Label | None, origin: "Origin") -> "Question":
    """The label is by default that of the stored signal, else the one that is traded now."""
    from daemon.errors import DaemonError
    from daemon.explaining.stored import Question, newest_session
    from storage.engine import reading
    from storage.signal_store import read_signals

    with reading(services.engine) as conn:
        day = newest_session(conn, origin) if session == NEWEST else _date(session)
        if day is None:
            raise DaemonError(f"no {origin} forecast is stored yet; `run-once` makes the first.")
        traded = {one.symbol: one.label for one in read_signals(conn, origin, day)}
    return Question(day, symbol, label or traded.get(symbol, services.settings.signals.label), origin)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write 2021-10-01, or newest.", param_hint="SESSION") from error

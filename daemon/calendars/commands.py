"""The commands `calendar show` and `calendar check`."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.invocation import clock_at, upgraded
from ensemble.counted import counted

if TYPE_CHECKING:
    from daemon.calendars.check import Disagreement
    from daemon.calendars.days import CalendarDay
    from daemon.config.settings import Settings

calendar_app = typer.Typer(help="Look at when exchanges are open.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Exchange = Annotated[str | None, typer.Option(help="Market identifier code; default that of what is traded.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="As of this instant.")]
SHOWN_DAYS = 30


@calendar_app.command("show")
def show_calendar(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Default: today.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Default: 30 days on.")] = None,
    exchange: Exchange = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show sessions with their hours, weekdays that are none, and what is not known yet."""
    from daemon.calendars.days import calendar_days, unsure_before
    from daemon.console.tables import print_json

    settings = context.obj.settings()
    begin = clock_at(now).now().date() if first is None else first.date()
    end = begin + timedelta(days=SHOWN_DAYS) if last is None else last.date()
    where = exchange or settings.market.exchange
    days = calendar_days(settings, where, first=begin, last=end)
    if as_json:
        known_until = settings.calendar.known_until(where)
        told = {"exchange": where, "holidays_known_until": known_until, "unsure": unsure_before(where, begin)}
        print_json(told | {"days": [asdict(day) for day in days]})
        return
    for day in days:
        typer.echo(day.line())
    typer.echo(_summary(settings, where, days))
    if unsure := unsure_before(where, begin):
        typer.echo(unsure)


@calendar_app.command("check")
def check_calendar(context: typer.Context, now: Now = None, as_json: AsJson = False) -> None:
    """Compare calendars with the stored bars; exit 1 when they contradict each other on the traded exchange."""
    from daemon.calendars.check import check_stored, exchanges_of
    from daemon.calendars.days import unsure_before
    from daemon.console.tables import print_json
    from storage.engine import reading

    settings = context.obj.settings()
    begin, today = settings.market.history_start, clock_at(now).now().date()
    with upgraded(context.obj, read_only=True) as engine, reading(engine) as conn:
        found = [
            check_stored(conn, settings, settings.calendar.load(exchange, first=begin, last=today))
            for exchange in exchanges_of(settings)
        ]
    agrees = not found[0].lines()
    if as_json:
        print_json({"agrees": agrees, "exchanges": [asdict(one) for one in found]})
    for one in () if as_json else found:
        for line in _findings(one, at_home=one is found[0]):
            typer.echo(line)
        if unsure := unsure_before(one.exchange, begin):
            typer.echo(unsure)
    raise typer.Exit(0 if agrees else 1)


def _findings(found: "Disagreement", *, at_home: bool) -> list[str]:
    """Every day at home; elsewhere, where a missing bar is an unknown column, what is more than a feed's gaps."""
    if not found.differing:
        return [f"{found.exchange}: calendar and bars agree"]
    if at_home or not found.is_slight:
        return found.lines()
    sessions = counted(found.compared, "session", ",")
    return [f"{found.exchange}: calendar and bars agree, but for {found.differing} of {sessions} (--json names them)"]


def _summary(settings: "Settings", exchange: str, days: "list[CalendarDay]") -> str:
    sessions = sum(day.is_session for day in days)
    known: date | Any = settings.calendar.known_until(exchange)
    until = f"known until {known}" if known else "rules without an end"
    return f"{exchange}: {counted(sessions, 'session')}; holidays: {until}"

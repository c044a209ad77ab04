"""`status`: reads the database, shows how the daemon is, and ends with what a monitor goes by. Needs no lock."""

from typing import Annotated

import typer

from daemon.invocation import Invocation, clock_at, reader


def status_command(
    context: typer.Context,
    now: Annotated[str | None, typer.Option("--now", metavar="ISO", help="Judge as of this instant.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    monitor: Annotated[
        bool, typer.Option("--monitor", help="One line; exit 0 ok, 1 warning, 2 critical, 3 unknown, as for Nagios.")
    ] = False,
) -> None:
    """Show whether the daemon is well, what was done last, what is due next, and the account; exit 1 if not well."""
    from daemon.health.status_display import read_status, show_status

    if monitor:
        _monitor(context.obj, now)
    settings = context.obj.settings()
    with reader(context.obj) as engine:
        status = read_status(engine, settings, now=clock_at(now).now())
        show_status(status, settings, as_json=as_json)
    if not status.health.healthy:
        raise typer.Exit(1)


def _monitor(invocation: Invocation, now: str | None) -> None:
    from daemon.health.status_display import UNKNOWN, monitor_line, read_status, unknown_line

    try:
        settings = invocation.settings()
        with reader(invocation) as engine:
            line, code = monitor_line(read_status(engine, settings, now=clock_at(now).now()))
    except Exception as error:  # whatever it is, a monitor wants a line and a code
        line, code = unknown_line(error), UNKNOWN
    typer.echo(line)
    raise typer.Exit(code)

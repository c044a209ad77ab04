"""The command `notify test`: says something to every channel, to see whether it arrives."""

from typing import Annotated

import typer

from daemon.errors import DaemonError

notify_app = typer.Typer(help="Look after notifications.", no_args_is_help=True)


@notify_app.callback()
def group() -> None:
    """A group of commands, also while it holds one."""


@notify_app.command("test")
def send_test(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Send a test message to every notification URL and fetch the ping URL; exit 1 when one of them fails."""
    from daemon.console.tables import print_json
    from daemon.notify.channels import channels
    from daemon.notify.messenger import send

    settings = context.obj.settings()
    known = channels(settings)
    if not known:
        raise DaemonError("nobody is to be told; set notify.urls or health.ping_url.")
    answers: dict[str, str | None] = {}
    for channel, url in known.items():
        message = {"channel": channel, "url": url, "title": "reliance-daemon: test", "body": "id: test"}
        refused = answers[channel] = send(message | {"timeout_s": settings.notify.timeout_s})
        if not as_json:
            typer.echo(f"{channel}: {'taken' if refused is None else refused}")
    if as_json:
        print_json({"channels": [{"channel": name, "refused": why} for name, why in answers.items()]})
    failed = sum(why is not None for why in answers.values())
    if failed:
        raise DaemonError(f"{failed} of {len(known)} channels did not take it; mend notify.urls or health.ping_url.")

"""The command `notify test`: says something to every channel, to see whether it arrives."""

import typer

from daemon.errors import DaemonError

notify_app = typer.Typer(help="Look after notifications.", no_args_is_help=True)


@notify_app.callback()
def group() -> None:
    """A group of commands, also while it holds one."""


@notify_app.command("test")
def test(context: typer.Context) -> None:
    """Send a test message to every notification URL and fetch the ping URL; exit 1 when one of them fails."""
    from daemon.notify.channels import channels
    from daemon.notify.messenger import send

    settings = context.obj.settings()
    known = channels(settings)
    if not known:
        raise DaemonError("nobody is to be told; set notify.urls or health.ping_url.")
    failed = 0
    for channel, url in known.items():
        message = {"channel": channel, "url": url, "title": "reliance-daemon: test", "body": "id: test"}
        refused = send(message | {"timeout_s": settings.notify.timeout_s})
        failed += refused is not None
        typer.echo(f"{channel}: {'taken' if refused is None else refused}")
    if failed:
        raise DaemonError(f"{failed} of {len(known)} channels did not take it; mend notify.urls or health.ping_url.")

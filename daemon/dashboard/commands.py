"""The command `serve`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from typing import Annotated

import typer

from daemon.errors import DaemonError

HOST = "127.0.0.1"


def serve_command(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port on 127.0.0.1.")] = 8470,
) -> None:
    """Show the report, /health and /metrics to browsers of this machine, until Ctrl-C. Nothing can be changed there."""
    try:
        import uvicorn

        from daemon.dashboard.app import dashboard
    except ImportError as error:
        raise DaemonError(f"`serve` needs {error.name}; install reliance-daemon[dashboard].") from error
    from daemon.dashboard.pages import pages_of

    context.obj.settings()  # what is wrong with it is told here, not by the first page
    config = uvicorn.Config(dashboard(pages_of(context.obj)), log_level="warning", server_header=False)
    with _listening(port) as listener, suppress(KeyboardInterrupt):
        typer.echo(f"http://{HOST}:{port}/ until Ctrl-C; from elsewhere: ssh -L {port}:{HOST}:{port} USER@MACHINE")
        uvicorn.Server(config).run([listener])


@contextmanager
def _listening(port: int) -> Iterator[socket]:
    """On this machine alone. Raises DaemonError where the port is taken."""
    with socket() as listener:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            raise DaemonError(f"--port was {port}: {error.strerror}; choose another.") from error
        yield listener

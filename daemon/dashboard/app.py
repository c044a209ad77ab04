"""What is answered at which path, and the headers that go with it. With commands.py the only importer of Starlette."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.console.redaction import one_line, redacted
from daemon.console.tables import json_text
from daemon.errors import DaemonError, WrongQuestion
from storage.errors import StoreError

OWN_NAMES = ["127.0.0.1", "localhost", "[::1]"]
"""Another Host is a page elsewhere whose name was made to lead here."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""The page is one file with its own scripts: it may load nothing, send nothing, and be framed by nobody."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Pages:
    """What each page holds, asked for anew by every request. All may raise DaemonError or StoreError."""

    report: Callable[[Mapping[str, str]], str]
    """The HTML, by the words after the question mark."""
    health: Callable[[], Mapping[str, Any]]
    """As `status --json` prints it."""
    metrics: Callable[[], str]
    """In Prometheus's text format."""


def dashboard(pages: Pages) -> Starlette:
    """The application. It has no path that changes anything: all but GET and HEAD is refused."""

    async def report(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(pages.report, dict(request.query_params)))

    async def health(_: Request) -> Response:
        said = await run_in_threadpool(pages.health)
        return Response(json_text(said), 200 if said["healthy"] else 503, media_type="application/json")

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(pages.metrics), media_type=METRICS_TYPE)

    return Starlette(
        routes=[Route("/", report), Route("/health", health), Route("/metrics", metrics)],
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=OWN_NAMES)],
        exception_handlers={DaemonError: _refused, StoreError: _refused},
    )


async def _refused(_: Request, error: Exception) -> Response:
    status = 400 if isinstance(error, WrongQuestion) else 503
    return PlainTextResponse(f"{one_line(redacted(str(error)))}\n", status)


class _Headers:
    """Puts HEADERS on every answer, also on refusals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self._app(scope, receive, with_headers)

"""What the pages hold: read from the database anew for each request, which needs no lock."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from daemon.clock import SystemClock
from daemon.dashboard.app import Pages
from daemon.errors import WrongQuestion
from daemon.health.metrics import metrics_text
from daemon.health.snapshot import read_snapshot
from daemon.health.status_display import read_status, status_record
from daemon.invocation import Invocation, reader
from daemon.report.material import Asked
from daemon.report.write import report_page
from storage.account_store import read_account
from storage.engine import reading
from storage.tables import LIVE


def pages_of(invocation: Invocation) -> Pages:
    """Those of the configuration and the database that a command would look at."""
    return Pages(lambda query: _report(invocation, query), lambda: _health(invocation), lambda: _metrics(invocation))


def _health(invocation: Invocation) -> Mapping[str, Any]:
    settings = invocation.settings()
    with reader(invocation) as engine:
        return status_record(read_status(engine, settings, now=SystemClock().now()), settings)


def _metrics(invocation: Invocation) -> str:
    settings, now = invocation.settings(), SystemClock().now()
    with reader(invocation) as engine, reading(engine) as conn:
        return metrics_text(read_snapshot(conn, read_account(conn, LIVE), settings, now=now))


def _report(invocation: Invocation, query: Mapping[str, str]) -> str:
    asked = Asked(query.get("symbol"), _date(query, "from"), _date(query, "to"))
    with reader(invocation) as engine:
        return report_page(engine, invocation.settings(), asked, now=SystemClock().now())


def _date(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise WrongQuestion(f"{name} was {text!r}; it must be a date such as 2021-10-01.") from error

"""The command `audit`: looks for knowledge of the future in what is configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.clock import SystemClock

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from daemon.auditing.audit import Audited
    from daemon.config.settings import Settings
    from ensemble.evaluation.audit.finding import Finding


def audit_command(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="With networks, the configured window and more rows and months: hours.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="One check alone; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Look for knowledge of the future; exit 0 clean, 2 leak, 3 inconclusive."""
    from daemon.auditing.audit import prepare
    from daemon.console.progress import shown
    from ensemble.evaluation.audit.finding import exit_code
    from ensemble.evaluation.audit.suite import named

    settings: Settings = context.obj.settings()
    try:
        checks = named(only or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    with _stored_bars(settings) as engine:
        audited = prepare(settings, engine, today=SystemClock().now().date(), full=full)
        total = len(checks) + (audited.stored is not None)
        findings = list(shown(audited.findings(checks), total=total, label="audit"))
    _show(audited, findings, as_json=as_json)
    raise typer.Exit(exit_code(findings))


@contextmanager
def _stored_bars(settings: "Settings") -> "Iterator[Engine | None]":
    """The database for looking only; None where there is none yet."""
    from storage.engine import open_store

    state = settings.storage
    if state.url is None and not (state.state_dir / "signals.db").is_file():
        yield None
        return
    engine = open_store(state.database_url, read_only=True)
    try:
        yield engine
    finally:
        engine.dispose()


def _show(audited: "Audited", findings: "list[Finding]", *, as_json: bool) -> None:
    from daemon.console.tables import new_table, open_console, print_json
    from ensemble.evaluation.audit.finding import verdict_of

    verdict = verdict_of(findings)
    if as_json:
        found = [asdict(one) for one in findings]
        print_json({"verdict": str(verdict), "market": audited.market, "findings": found})
        return
    console: Console = open_console()
    table = new_table(console, f"Audit of {audited.market}", "check", "verdict", "what was seen", left=3)
    for one in findings:
        table.add_row(one.check, str(one.verdict), one.detail)
    console.print(table)
    console.print(f"Verdict: {verdict}")

"""The command `doctor`: is everything in order, and if not, what is to be done?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.clock import SystemClock

if TYPE_CHECKING:
    from daemon.doctor.finding import Finding

COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def doctor_command(
    context: typer.Context,
    ask_feed: Annotated[
        bool, typer.Option("--feed", help="Really ask the feed, instead of the stored bars' age.")
    ] = False,
    ask_cloud: Annotated[
        bool, typer.Option("--cloud", help="Really ask the bucket, instead of what the last attempts came to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Look at all that the daemon needs, and say what to do; exit 1 when something fails. It may run meanwhile."""
    from daemon.console.tables import print_json
    from daemon.doctor.examination import examine

    findings = []
    for finding in examine(context.obj.config, SystemClock().now(), ask_feed=ask_feed, ask_cloud=ask_cloud):
        findings.append(finding)
        if not as_json:
            _show(finding)
    passes = all(finding.level != "fail" for finding in findings)
    if as_json:
        print_json({"passes": passes, "findings": [asdict(finding) for finding in findings]})
    raise typer.Exit(0 if passes else 1)


def _show(finding: "Finding") -> None:
    typer.secho(f"{finding.level:<5}", fg=COLOURS[finding.level], nl=False)
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    typer.echo(f"{finding.check:<14}{finding.seen}{remedy}")

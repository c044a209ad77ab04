"""An example for the help of every command; a test runs each through the parser, so that none goes stale."""

from collections.abc import Iterator, Mapping

import typer
from typer.models import CommandInfo

PROGRAM = "reliance-daemon"
EXAMPLES: Mapping[str, str] = {
    "account": "account --origin backtest",
    "audit": 'audit --only "planted signal"',
    "backfill": "backfill RELIANCE.NS TCS.NS",
    "backtest": "backtest --from 2020-01-01 --to 2020-12-31 --out results",
    "bars actions": "bars actions RELIANCE.NS",
    "bars as-of": "bars as-of 2021-10-01 RELIANCE.NS --last 5",
    "bars check": "bars check bars",
    "bars export": "bars export RELIANCE.NS --out bars --format parquet",
    "bars quarantine accept": 'bars quarantine accept 12 --note "the exchange has it too"',
    "bars quarantine list": "bars quarantine list --symbol RELIANCE.NS",
    "bars quarantine reject": 'bars quarantine reject 12 --note "a typing error"',
    "bars show": "bars show RELIANCE.NS --from 2021-10-01",
    "bars state": "bars state RELIANCE.NS 2023-07-20 demerger 261.85/2841.85",
    "cache list": "cache list --json",
    "cache prune": "cache prune --older-than 30 --dry-run",
    "cache verify": "cache verify",
    "calendar check": "calendar check",
    "calendar show": "calendar show --from 2021-10-01 --to 2021-12-31 --exchange XNSE",
    "config check": "--config /etc/reliance-daemon/config.toml config check",
    "config show": "config show --json",
    "db ask": "db ask hit-rate-by-confidence",
    "db backup": "db backup",
    "db check": "db check",
    "db datasette": "db datasette --out metadata.json",
    "db restore": "db restore state/backups/2021-10-01.db",
    "db upgrade": "db upgrade",
    "doctor": "doctor --feed",
    "evaluate": "evaluate --from 2020-01-01 --to 2020-12-31 --by year",
    "explain": "explain newest RELIANCE.NS --label gap",
    "forecasts export": "forecasts export --from 2021-01-01 --to 2021-12-31 --out forecasts.csv",
    "halt": 'halt --reason "on holiday"',
    "import": "import bars",
    "market simulate": "market simulate --auc 0.6 --years 12 --out market",
    "models diff": "models diff 2021-09 2021-10",
    "models export": "models export 2021-10 --out model",
    "models list": "models list",
    "models pin": 'models pin 2021-10 --note "until the audit"',
    "models promote": "models promote 2021-10",
    "models prune": "models prune --keep 6 --dry-run",
    "models pull": "models pull",
    "models push": "models push",
    "models rollback": "models rollback",
    "models show": "models show 2021-10",
    "models unpin": "models unpin",
    "models verify": "models verify",
    "notify test": "notify test",
    "positions": "positions --json",
    "restore": "restore --from-cloud",
    "resume": "resume",
    "run": "--config /etc/reliance-daemon/config.toml run",
    "run-once": "run-once --now 2021-10-01T03:20:00Z",
    "report": "report --out report.html",
    "serve": "serve --port 8470",
    "signals": "signals --session 2021-10-01",
    "status": "status --monitor",
    "sweep": "sweep --from 2015-01-01 --to 2018-12-31 --label gap --trials 20",
    "trades": "trades --from 2021-01-01",
    "verify": "verify --since 2021-10-01",
}
"""Command -> what to type after the program's name."""
EXIT_CODES = """\b
Exit codes:
  0   done
  1   failed, or not in order (status, doctor, verify, db check, ...)
  2   wrong usage; of audit: a leak
  3   inconclusive (audit)
  75  another instance works on the same state
  78  the configuration is wrong
A failure is one line on standard error that says what to do; --debug shows where."""


def with_examples(app: typer.Typer) -> typer.Typer:
    """The same app; the help of each command ends with its example, that of the app with the exit codes."""
    for name, command in _commands(app):
        if name in EXAMPLES:
            command.epilog = f"Example: {PROGRAM} {EXAMPLES[name]}"
    app.info.epilog = EXIT_CODES
    return app


def _commands(app: typer.Typer, within: str = "") -> Iterator[tuple[str, CommandInfo]]:
    """Each command by its full name, as in "bars quarantine list"."""
    for command in app.registered_commands:
        yield f"{within}{command.name or getattr(command.callback, '__name__', '')}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance, f"{within}{group.name} ")

"""The command line: reads the configuration, runs one job, shows what came of it."""

import json
import os
import sys
import traceback
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.accounts.commands import account_command, positions_command, trades_command
from daemon.auditing.command import audit_command
from daemon.bars.backfill_commands import backfill_command, export_command, import_command
from daemon.bars.commands import bars_app
from daemon.calendars.commands import calendar_app
from daemon.clock import SystemClock
from daemon.config.settings import Settings
from daemon.console.completion import complete_symbol
from daemon.console.examples import with_examples
from daemon.console.redaction import masked, one_line, redacted
from daemon.dashboard.commands import serve_command
from daemon.database.commands import db_app
from daemon.doctor.command import doctor_command
from daemon.errors import DaemonError
from daemon.explaining.command import explain_command
from daemon.health.status_command import status_command
from daemon.invocation import Invocation
from daemon.invocation import clock_at as _clock
from daemon.invocation import reader as _reader
from daemon.invocation import services_of as _services
from daemon.invocation import upgraded as _upgraded
from daemon.mirror.commands import pull_command, push_command, restore_command
from daemon.models.commands import models_app
from daemon.notify.commands import notify_app
from daemon.report.command import report_command
from daemon.synthetic.commands import market_app
from daemon.verifying.command import verify_command
from ensemble.counted import counted
from ensemble.labels import Label

app = typer.Typer(
    name="reliance-daemon",
    help="One calibrated direction forecast, and one sized signal, per symbol and trading session.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
forecasts_app = typer.Typer(help="Take forecasts elsewhere.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(forecasts_app, name="forecasts")
cache_app = typer.Typer(help="Look after what was trained.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")
app.add_typer(market_app, name="market")
app.add_typer(models_app, name="models")
app.add_typer(db_app, name="db")
app.add_typer(calendar_app, name="calendar")
bars_app.command("export")(export_command)
app.add_typer(bars_app, name="bars")
app.command("backfill")(backfill_command)
app.command("import")(import_command)
app.command("audit")(audit_command)
app.command("account")(account_command)
app.command("positions")(positions_command)
app.command("trades")(trades_command)
app.command("verify")(verify_command)
app.command("explain")(explain_command)
app.command("doctor")(doctor_command)
app.command("status")(status_command)
app.command("serve")(serve_command)
app.command("report")(report_command)
app.add_typer(notify_app, name="notify")
models_app.command("push")(push_command)
models_app.command("pull")(pull_command)
app.command("restore")(restore_command)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Now = Annotated[
    str | None,
    typer.Option("--now", metavar="ISO", help="Run as of this instant, e.g. 2021-10-01T03:20:00Z; UTC without a zone."),
]


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file; default /etc/reliance-daemon/config.toml, else ./config.toml."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Log more, and show tracebacks.")] = False,
) -> None:
    """Options that come before the command."""
    context.obj = Invocation(config, debug)


@app.command("run-once")
def run_once(context: typer.Context, now: Now = None, as_json: AsJson = False) -> None:
    """Do all that is due: read the feed, settle, retrain, decide. A second call finds nothing to do."""
    from daemon.console.display import show_reconciled
    from daemon.sessions.reconcile import reconcile

    with _services(context.obj, _clock(now), quiet=as_json) as services:
        show_reconciled(services, reconcile(services), as_json=as_json)
        if services.report is not None:
            services.report.finish()


@app.command()
def run(context: typer.Context) -> None:
    """Stay, and do what is due when it is due, until SIGTERM or Ctrl-C."""
    from daemon.database.patience import Patience
    from daemon.health.metrics import served
    from daemon.service.loop import run_forever
    from daemon.service.service_manager import ServiceManager

    clock, manager = SystemClock(), ServiceManager()
    with (
        _services(context.obj, clock, quiet=False, open_store=Patience(manager.starting).open) as services,
        served(services.page, services.settings),
    ):
        run_forever(services, clock, read=context.obj.settings, manager=manager)


@app.command()
def backtest(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write equity, trades, signals and performance to.")
    ] = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Replay past sessions with the daemon's own jobs; stored beside the live rows as origin "backtest"."""
    from daemon.backtests.backtest import backtest as replay
    from daemon.backtests.display import show_backtest

    with _services(context.obj, _clock(now), quiet=as_json) as services:
        show_backtest(services, replay(services, first=first.date(), last=last.date()), out=out, as_json=as_json)


@app.command()
def evaluate(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
    symbol: Annotated[
        str | None,
        typer.Option(autocompletion=complete_symbol, help="One symbol alone; default all that were forecast."),
    ] = None,
    label: Annotated[Label | None, typer.Option(help="Show one label; all are judged together.")] = None,
    origin: Annotated[Literal["live", "backtest"], typer.Option(help="Whose forecasts.")] = "backtest",
    by: Annotated[Literal["symbol", "year", "regime"] | None, typer.Option(help="Show the parts as well.")] = None,
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Show what each confidence threshold would have given instead.")
    ] = False,
    open_holdout: Annotated[
        bool, typer.Option("--open-holdout", help="Look at the held-out sessions: once for evaluation.experiment.")
    ] = False,
    explain_protocol: Annotated[
        bool, typer.Option("--explain-protocol", help="Take the published table that this program began with apart.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what stored forecasts are worth: a verdict, beside a coin, a constant and simple models."""
    if explain_protocol:
        from daemon.evaluating.protocol_display import explain_published

        explain_published(as_json=as_json)
        return
    if first is None or last is None:
        raise typer.BadParameter("give --from DATE and --to DATE, or --explain-protocol.")
    from daemon.evaluating.display import show_card
    from daemon.evaluating.evaluation import Question, gather
    from daemon.evaluating.threshold_display import show_thresholds

    settings = context.obj.settings()
    question = Question(first.date(), last.date(), origin, symbol, label, open_holdout)
    with _upgraded(context.obj, read_only=not open_holdout) as engine:
        material = gather(engine, settings, question, now=SystemClock().now())
        if thresholds:
            show_thresholds(material, settings, as_json=as_json)
        else:
            show_card(engine, settings, material, by=by, as_json=as_json)


@app.command()
def sweep(  # noqa: PLR0913  # one parameter an option
    context: typer.Context,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session, before the hold-out.")],
    trials: Annotated[int, typer.Option(min=1, max=10_000, help="How many in all; earlier ones count.")] = 30,
    label: Annotated[Label | None, typer.Option(help="What is searched for; default signals.label.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; default sweeps in the state.")] = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Try members with other figures, the presets first, walked forward; every trial stays in the ledger."""
    from daemon.sweeps.display import show_sweep
    from daemon.sweeps.study import Wanted
    from daemon.sweeps.sweep import sweep as search

    with _services(context.obj, _clock(now), quiet=as_json) as services:
        settings = services.settings
        study = search(services, Wanted(first.date(), last.date(), label or settings.signals.label, trials))
        show_sweep(study, out or settings.storage.state_dir / "sweeps" / study.name, as_json=as_json)


@app.command()
def signals(
    context: typer.Context,
    session: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Default: the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the signals of a session, with their reasons."""
    from daemon.console.display import show_signals

    with _reader(context.obj) as engine:
        show_signals(engine, None if session is None else session.date(), as_json=as_json)


@app.command()
def halt(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Kept with the halt, and shown by `status`.")] = "",
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Open no position from the next session on, until `resume`; what is held closes as ever. The daemon may run."""
    from daemon.sessions.halt_command import halt_command

    halt_command(context.obj.settings(), now=_clock(now).now(), reason=reason, as_json=as_json)


@app.command()
def resume(context: typer.Context, now: Now = None, as_json: AsJson = False) -> None:
    """End a halt, by command or after a drawdown, from the next session on. The daemon may run."""
    from daemon.sessions.halt_command import resume_command

    resume_command(context.obj.settings(), now=_clock(now).now(), as_json=as_json)


@forecasts_app.command("export")
def export_forecasts(
    context: typer.Context,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")],
    out: Annotated[Path, typer.Option(help="File to write; - for standard output.")],
) -> None:
    """Write forecasts as CSV: session, symbol, label, probability, origin (live or backtest), then its interval."""
    from storage.engine import reading
    from storage.forecast_store import read_forecasts

    with _reader(context.obj) as engine, reading(engine) as conn:
        rows = read_forecasts(conn, first=first.date(), last=last.date())
    fixed, interval = ["session", "symbol", "label", "probability", "origin"], ["probability_low", "probability_high"]
    table = rows[[*fixed, *interval]]
    try:
        table.to_csv(sys.stdout if str(out) == "-" else out, index=False, date_format="%Y-%m-%d")
    except OSError as error:
        raise DaemonError(f"--out {out} cannot be written: {error.strerror}; choose another file.") from error
    typer.echo(f"{counted(len(table), 'forecast')} written to {out}", err=True)


@cache_app.command("list")
def list_cache(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every trained part: for which month and member, how large, when last used, and who refers to it."""
    from daemon.models.cache import cache_entries
    from daemon.models.cache_display import show_cache
    from storage.model_store import ModelStore

    show_cache(cache_entries(ModelStore(context.obj.settings().storage.models_dir)), as_json=as_json)


@cache_app.command("prune")
def prune_cache(
    context: typer.Context,
    older_than: Annotated[
        float, typer.Option(min=0, max=36_500, metavar="DAYS", help="Only what was not used for so long.")
    ] = 0,
    other_settings: Annotated[
        bool, typer.Option("--other-settings", help="Also what other settings trained, unless a forecast names it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove parts that no published model and no month refers to, drafts, and damaged parts put aside."""
    from daemon.instance import only_instance
    from daemon.models.cache import prune, prune_options
    from daemon.models.cache_display import show_pruned
    from storage.model_store import ModelStore

    settings = context.obj.settings()
    alone = nullcontext() if dry_run else only_instance(settings.storage.state_dir)
    with alone, _reader(context.obj) as engine:
        options = prune_options(
            settings, engine, SystemClock().now(), older_than_days=older_than, other_settings=other_settings
        )
        pruned = prune(ModelStore(settings.storage.models_dir), options, dry_run=dry_run)
    show_pruned(pruned, dry_run=dry_run, as_json=as_json)


@cache_app.command("verify")
def verify_cache(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare every trained part with its checksum; exit 1 when one is damaged or missing."""
    from daemon.models.cache_display import show_faults
    from storage.model_folder import faults
    from storage.model_store import ModelStore

    store = ModelStore(context.obj.settings().storage.models_dir)
    show_faults(list(faults(store)), len(store.part_keys()), as_json=as_json)


@config_app.command("check")
def check_config(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the configuration is in order; exit 78 and one line when it is not."""
    context.obj.settings()
    typer.echo(json.dumps({"passes": True}) if as_json else "configuration: in order")


@config_app.command("show")
def show_config(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the configuration in effect: defaults, file and environment together; *** for what is secret."""
    from daemon.config.settings import describe

    settings: Settings = masked(context.obj.settings())
    typer.echo(json.dumps(settings.model_dump(mode="json"), indent=1) if as_json else describe(settings).rstrip())


with_examples(app)


def main() -> None:
    """The console script. Expected faults are one line on standard error and an exit code, never a traceback."""
    os.umask(0o077)
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv:
            _show_traceback()
        _stop(_told(error), code=error.exit_code if isinstance(error, DaemonError) else 1)


def _show_traceback() -> None:
    """Where it went wrong, in as many lines as it takes, and without a secret."""
    for line in traceback.format_exc().splitlines():
        typer.echo(one_line(redacted(line)), err=True)


def _stop(line: str, *, code: int) -> None:
    typer.echo(f"reliance-daemon: {one_line(redacted(' '.join(line.split())))}", err=True)
    sys.exit(code)


def _told(error: Exception) -> str:
    """Faults that were foreseen as they are; others with their type and how to see more."""
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: this user may not ({error.strerror}); do it as the user who runs the daemon."
    foreseen = isinstance(error, DaemonError) or type(error).__module__.split(".")[0] in (
        "daemon",
        "storage",
        "ensemble",
    )
    return str(error) if foreseen else f"unexpected {type(error).__name__} (--debug shows where): {error}"

"""The commands `models ...`: which versions there are, and who serves. The daemon may run."""

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.console.completion import complete_model
from ensemble.counted import counted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from daemon.models.control import Control
    from storage.promotion_store import ModelEvent

models_app = typer.Typer(help="Look after the versions of the models.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_VERSION: Mapping[str, Any] = {"autocompletion": complete_model, "help": "A version, or how its id begins."}
Model = Annotated[str, typer.Argument(metavar="ID", **_VERSION)]
ModelOrNone = Annotated[str | None, typer.Argument(metavar="[ID]", **_VERSION)]
Note = Annotated[str, typer.Option(help="Why; kept with it.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="Act as of this instant.")]


@models_app.command("list")
def list_models(context: typer.Context, now: Now = None, as_json: AsJson = False) -> None:
    """Show every version: what became of it, and which sessions it forecast."""
    from daemon.invocation import reader
    from daemon.models.display import show_versions
    from daemon.models.listing import list_versions
    from storage.engine import reading
    from storage.promotion_store import read_model_events
    from storage.tables import LIVE

    with reader(context.obj) as engine, reading(engine) as conn:
        standing = _control(context, now, "").standing(conn)
        versions = list_versions(conn, read_model_events(conn, LIVE), standing)
    show_versions(versions, as_json=as_json)


@models_app.command("show")
def show(context: typer.Context, model: Model, as_json: AsJson = False) -> None:
    """Show what a version was made from, by which code and libraries, and what happened to it."""
    from daemon.invocation import reader
    from daemon.models.control import find_version
    from daemon.models.display import show_version
    from storage.engine import reading
    from storage.promotion_store import read_model_events
    from storage.tables import LIVE

    with reader(context.obj) as engine, reading(engine) as conn:
        entry = find_version(conn, model)
        events = [one for one in read_model_events(conn, LIVE) if one.model_id == entry.model_id]
    show_version(entry, events, as_json=as_json)


@models_app.command("diff")
def diff(context: typer.Context, first: Model, second: Model, as_json: AsJson = False) -> None:
    """Show in what two versions differ."""
    from daemon.invocation import reader
    from daemon.models.control import find_version, manifest_differences
    from daemon.models.display import show_differences
    from storage.engine import reading

    with reader(context.obj) as engine, reading(engine) as conn:
        there, here = (find_version(conn, name) for name in (first, second))
    found = manifest_differences(there.manifest, here.manifest)
    show_differences(found, (there.model_id, here.model_id), as_json=as_json)


@models_app.command("promote")
def promote(context: typer.Context, model: Model, note: Note = "", now: Now = None, as_json: AsJson = False) -> None:
    """Let a version serve from the next session on, until the policy promotes another."""
    _say(context, now, note, lambda control, conn: control.promote(conn, model), as_json=as_json)


@models_app.command("rollback")
def rollback(
    context: typer.Context, model: ModelOrNone = None, note: Note = "", now: Now = None, as_json: AsJson = False
) -> None:
    """Let the version serve again that served before, or the one named, until the policy promotes another."""
    _say(context, now, note, lambda control, conn: control.roll_back(conn, model), as_json=as_json)


@models_app.command("pin")
def pin(
    context: typer.Context, model: ModelOrNone = None, note: Note = "", now: Now = None, as_json: AsJson = False
) -> None:
    """Let a version, or the one that serves, stay whatever the policy says, until `unpin`."""
    _say(context, now, note, lambda control, conn: control.pin(conn, model), as_json=as_json)


@models_app.command("unpin")
def unpin(context: typer.Context, note: Note = "", now: Now = None, as_json: AsJson = False) -> None:
    """Let the policy decide again."""
    _say(context, now, note, lambda control, conn: control.unpin(conn), as_json=as_json)


@models_app.command("verify")
def verify(context: typer.Context, model: ModelOrNone = None, as_json: AsJson = False) -> None:
    """Compare all files of every version, or of one, with their digests, and ask it its golden input; exit 1 if bad."""
    from daemon.console.progress import shown
    from daemon.invocation import reader
    from daemon.models.check import check_versions
    from daemon.models.control import find_version
    from daemon.models.display import show_checked
    from storage.engine import reading
    from storage.model_index import read_models
    from storage.model_store import ModelStore

    with reader(context.obj) as engine, reading(engine) as conn:
        entries = read_models(conn) if model is None else [find_version(conn, model)]
    store = ModelStore(context.obj.settings().storage.models_dir, read_only=True)
    ids = [entry.model_id for entry in entries]
    faults = check_versions(store, shown(ids, total=len(ids), label="versions"))
    show_checked(faults, as_json=as_json)
    if any(faults.values()):
        raise typer.Exit(1)


@models_app.command("export")
def export(
    context: typer.Context,
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    as_json: AsJson = False,
) -> None:
    """Write a version as a folder for people: manifest, weights as arrays and for Keras, trees, history.csv."""
    from daemon.console.tables import print_json
    from daemon.invocation import reader
    from daemon.models.control import find_version
    from daemon.models.export import export_version
    from storage.engine import reading
    from storage.model_store import ModelStore

    with reader(context.obj) as engine, reading(engine) as conn:
        entry = find_version(conn, model)
    settings = context.obj.settings()
    store = ModelStore(settings.storage.models_dir, read_only=True)
    written = export_version(store, entry.model_id, out, settings.workers.limits)
    if as_json:
        print_json([str(path) for path in written])
    else:
        typer.echo(f"model {entry.model_id} written to {out}: {counted(len(written), 'file')}")


@models_app.command("prune")
def prune(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    keep: Annotated[int, typer.Option(min=0, help="Newest versions that stay in any case.")] = 3,
    budget_mb: Annotated[
        float | None,
        typer.Option(min=0, max=1e9, help="Remove the oldest only as long as the folder has more megabytes."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, only say what would go.")] = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Remove versions that no stored forecast names and that neither serve nor can be rolled back to."""
    from contextlib import nullcontext

    from daemon.errors import DaemonError
    from daemon.instance import only_instance
    from daemon.invocation import reader
    from daemon.models.cache_display import megabytes, show_pruned
    from daemon.models.retention import expendable_versions, prune_versions
    from storage.engine import reading
    from storage.model_index import spoken_models

    control = _control(context, now, "")
    alone = nullcontext() if dry_run else only_instance(control.settings.storage.state_dir)
    with alone, reader(context.obj) as engine, reading(engine) as conn:
        spoken = {entry.model_id: entry.manifest for entry in spoken_models(conn)}
        expendable = expendable_versions(conn, control.standing(conn), spoken, keep=keep)
        budget = None if budget_mb is None else int(budget_mb * 1e6)
        pruned, left = prune_versions(control.store, expendable, spoken, budget_bytes=budget, dry_run=dry_run)
    show_pruned(pruned, dry_run=dry_run, as_json=as_json)
    if budget is not None and left > budget:
        raise DaemonError(
            f"{megabytes(left)} are left, --budget-mb was {budget_mb:g}; stored forecasts, months or who serves need "
            "them."
        )


def _say(
    context: typer.Context,
    now: str | None,
    note: str,
    said: "Callable[[Control, Connection], ModelEvent]",
    *,
    as_json: bool,
) -> None:
    from daemon.models.display import show_event
    from storage.engine import open_store, transaction

    storage = context.obj.settings().storage
    engine = open_store(storage.database_url, group_read=storage.group_read)
    try:
        with transaction(engine) as conn:
            event = said(_control(context, now, note), conn)
    finally:
        engine.dispose()
    show_event(event, as_json=as_json)


def _control(context: typer.Context, now: str | None, note: str) -> "Control":
    from daemon.invocation import clock_at
    from daemon.models.control import Control
    from storage.model_store import ModelStore

    settings = context.obj.settings()
    store = ModelStore(settings.storage.models_dir, read_only=True)
    return Control(settings, store, clock_at(now).now(), getpass.getuser(), note)

"""The commands `models push`, `models pull` and `restore --from-cloud`: what the daemon does by itself, by hand."""

import os
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.clock import SystemClock
from daemon.errors import DaemonError
from ensemble.counted import counted

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from daemon.config.settings import Settings
    from storage.cloud.bucket import Bucket
    from storage.cloud.contents import Told
    from storage.cloud.pruning import Removed

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def push_command(
    context: typer.Context,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Replace another account's state in the bucket, or a later one.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Then remove what LATEST and stored forecasts do not need; takes the lock.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring models and newest backup into the bucket now; the daemon does so by itself, and may run without --prune."""
    from daemon.console.tables import print_json
    from daemon.instance import only_instance
    from daemon.invocation import upgraded
    from daemon.mirror.mirroring import key_of, local_state
    from storage.cloud.push import push
    from storage.engine import transaction
    from storage.mirror_spool import note_pushed

    if prune and take_over:
        raise typer.BadParameter("give --take-over first, --prune later: it removes what the other account has there.")
    settings, now = context.obj.settings(), SystemClock().now()
    alone = only_instance(settings.storage.state_dir) if prune else nullcontext()
    with upgraded(context.obj, read_only=False) as engine, _bucket(settings) as bucket, alone:
        local, kept = local_state(engine, settings), settings.cloud.backups_kept
        pushed = push(bucket, local, now=now, keep_backups=kept, take_over=take_over, told=_told("push"))
        with transaction(engine) as conn:
            note_pushed(conn, key_of(local), at=now)
        removed = _pruned(bucket, engine, settings) if prune else None
    if as_json:
        gone = {} if removed is None else {"pruned": asdict(removed)}
        print_json(asdict(pushed) | {"mirrored": key_of(local)} | gone)
        return
    for place in pushed.left_out:
        typer.echo(f"{place} is damaged and was left out; `cache verify` says more", err=True)
    typer.echo(f"{bucket.url} has {key_of(local)}: {pushed.line()} sent")
    if removed is not None:
        typer.echo(f"{counted(removed.archives, 'archive')} removed, {removed.size_bytes / 1e6:.1f} MB")


def _pruned(bucket: "Bucket", engine: "Engine", settings: "Settings") -> "Removed":
    from daemon.mirror.needed import needed_places
    from storage.cloud.pruning import prune_bucket
    from storage.engine import reading

    with reading(engine) as conn:
        needed = needed_places(conn, settings)
    with TemporaryDirectory(prefix="cloud-prune-") as scratch:
        return prune_bucket(bucket, needed, scratch=Path(scratch))


def pull_command(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Only this version, or how its id begins."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what the model folder lacks, and what is damaged in it; the daemon may run."""
    from daemon.console.tables import print_json
    from storage.cloud.pull import pull, pull_version
    from storage.model_store import ModelStore

    settings = context.obj.settings()
    store = ModelStore(settings.storage.models_dir)
    with _bucket(settings) as bucket, TemporaryDirectory(prefix="cloud-pull-") as scratch:
        if model is None:
            places = pull(bucket, store, scratch=Path(scratch), told=_told("pull"))
        else:
            model, places = pull_version(bucket, store, model, scratch=Path(scratch), told=_told("pull"))
    if as_json:
        print_json({"brought": places} | ({} if model is None else {"model": model}))
    else:
        brought = counted(len(places), "piece")
        typer.echo(f"{brought} brought from {bucket.url}: {', '.join(places) or 'nothing was missing'}")


def restore_command(
    context: typer.Context,
    from_cloud: Annotated[bool, typer.Option("--from-cloud", help="From the bucket of the configuration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill an empty machine with models and database from the bucket. Stop the daemon before."""
    from daemon.console.tables import print_json
    from daemon.database.opening import rebuilt_state
    from daemon.instance import only_instance
    from storage.cloud.rebuild import restore_from

    if not from_cloud:
        raise typer.BadParameter("give --from-cloud; a backup file is restored by `db restore FILE`.")
    settings = context.obj.settings()
    storage = settings.storage
    with only_instance(storage.state_dir), _bucket(settings) as bucket:
        latest = restore_from(bucket, rebuilt_state(storage), at=SystemClock().now(), told=_told("restore"))
    if as_json:
        names = {"model_id": latest.model_id, "database": latest.database.name if latest.database else None}
        print_json({"state_dir": storage.state_dir, "bucket": bucket.url} | names)
        return
    database = latest.database.name if latest.database else "no database"
    typer.echo(
        f"{storage.state_dir}: model {latest.model_id or 'none'} and {database} restored from {bucket.url}. "
        "What came after is done again by `run` or `run-once`."
    )


def _told(label: str) -> "Told":
    """Says how far it is where it takes long."""
    from daemon.console.progress import shown

    return lambda pieces: shown(pieces, total=len(pieces), label=label)


def _bucket(settings: "Settings") -> "Bucket":
    """Raises DaemonError where none is configured."""
    bucket = settings.cloud.open_bucket(os.environ)
    if bucket is None:
        raise DaemonError("cloud.bucket is not set; name a bucket of Google Cloud Storage: docs/cloud.md says how.")
    return bucket

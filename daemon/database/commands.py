"""The commands `db check`, `db backup`, `db restore`, `db upgrade`, `db ask` and `db datasette`."""

import json
from dataclasses import asdict
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from daemon.clock import SystemClock
from daemon.config.settings import StorageOptions
from daemon.console.completion import complete_question
from daemon.console.redaction import one_line, redacted
from daemon.errors import DaemonError
from daemon.invocation import reader

db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@db_app.command("check")
def check_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the database is whole, of today's schema, and its account as its events make it; exit 1 if not."""
    from daemon.console.tables import print_json
    from storage.database_check import database_faults
    from storage.engine import shown_url
    from storage.migrations import HEAD_REVISION

    url = context.obj.settings().storage.database_url
    faults = database_faults(url)
    if as_json:
        print_json({"passes": not faults, "database": shown_url(url), "faults": [asdict(fault) for fault in faults]})
    for fault in () if as_json else faults:
        typer.echo(f"{fault.seen}; {fault.remedy}")
    if not faults and not as_json:
        typer.echo(f"{shown_url(url)}: whole, schema {HEAD_REVISION}, every account as its events make it")
    raise typer.Exit(1 if faults else 0)


@db_app.command("backup")
def backup_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Make a checked backup, also while the daemon runs; all but the storage.backups_kept newest go."""
    from daemon.console.tables import print_json
    from storage.backups import back_up

    storage = context.obj.settings().storage
    made = back_up(_file(storage), storage.backups, at=SystemClock().now(), keep=storage.backups_kept)
    if as_json:
        print_json({"path": made.path, "session": made.session, "size_bytes": made.size_bytes})
    else:
        settled = f"settled to {made.session}" if made.session else "nothing settled yet"
        typer.echo(f"{made.path}: {made.size_bytes / 1e6:.1f} MB, {settled}, checked")


@db_app.command("restore")
def restore_database(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup, as `db backup` made it.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, which is moved aside. Stop the daemon before."""
    from daemon.console.tables import print_json
    from daemon.instance import only_instance
    from storage.restoring import restore

    storage = context.obj.settings().storage
    database = _file(storage)
    with only_instance(storage.state_dir):
        aside = restore(file, database, at=SystemClock().now(), why="before-restore")
    if as_json:
        print_json({"database": database, "restored_from": file, "moved_aside": aside})
        return
    kept = f"; the one before is {aside}" if aside else ""
    typer.echo(f"{database}: restored from {file}{kept}. What it lacks is done again by `run` or `run-once`.")


@db_app.command("upgrade")
def upgrade_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this program, after a backup. `run` and `run-once` do so by themselves."""
    from daemon.console.tables import print_json
    from daemon.database.opening import open_alone
    from daemon.instance import only_instance
    from storage.backups import back_up
    from storage.engine import OldSchema, database_file, open_store
    from storage.migrations import HEAD_REVISION

    storage = context.obj.settings().storage
    file, upgraded, kept = database_file(storage.database_url), False, None
    try:
        open_store(storage.database_url, read_only=True).dispose()
    except OldSchema:
        with only_instance(storage.state_dir):
            if file is not None:
                made = back_up(file, storage.backups, at=SystemClock().now(), keep=storage.backups_kept)
                kept = made.path
            open_alone(storage).dispose()
        upgraded = True
    if as_json:
        print_json({"schema": HEAD_REVISION, "upgraded": upgraded, "backup": kept})
    elif upgraded:
        before = f"; as it was it is {kept}" if kept else ""
        typer.echo(f"the database was upgraded to schema {HEAD_REVISION}{before}")
    else:
        typer.echo(f"the database has schema {HEAD_REVISION} already")


@db_app.command("ask")
def ask_database(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(autocompletion=complete_question, help="Default: lists all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question that comes along: today's signal, hit rates, open risk, equity by month, and more."""
    from daemon.console.tables import new_table, open_console, print_json
    from storage.engine import reading
    from storage.queries import canned_queries

    canned = {one.name: one for one in canned_queries()}
    if name is None:
        rows: list[dict[str, object]] = [{"name": one.name, "question": one.question} for one in canned.values()]
    elif name not in canned:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(canned)}.", param_hint="NAME")
    else:
        with reader(context.obj) as engine, reading(engine) as conn:
            rows = [dict(row) for row in conn.exec_driver_sql(canned[name].sql).mappings()]
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("no rows: nothing of this kind is stored yet")
    else:
        console = open_console()
        words = sum(1 for _ in takewhile(_is_word, rows[0].values()))
        table = new_table(console, canned[name].question if name else "", *rows[0], left=words)
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        console.print(table)


@db_app.command("datasette")
def write_datasette_metadata(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="File to write; - for standard output.")],
) -> None:
    """Write metadata for Datasette: what every column holds, and the questions of `db ask` ready to click."""
    from storage.datasette import datasette_metadata
    from storage.engine import reading

    file = _file(context.obj.settings().storage)
    with reader(context.obj) as engine, reading(engine) as conn:
        text = json.dumps(datasette_metadata(conn, database=file.stem), indent=1)
    if str(out) == "-":
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DaemonError(f"--out {out} cannot be written: {error.strerror}; choose another file.") from error
    typer.echo(f"{out} written; now: datasette {file} --metadata {out}")


def _is_word(value: object) -> bool:
    return not isinstance(value, int | float | Decimal)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float | Decimal):
        return one_line(redacted(f"{value}"))
    return f"{value:.3f}" if abs(float(value)) < 10 else f"{value:,.2f}"


def _file(storage: StorageOptions) -> Path:
    """The database's file. Raises DaemonError for a database that is none."""
    from storage.engine import database_file, shown_url

    file = database_file(storage.database_url)
    if file is None:
        raise DaemonError(
            f"storage.url {shown_url(storage.database_url)} is no SQLite file; back it up and restore it with the "
            "server's own tools, pg_dump and pg_restore: docs/postgresql.md says how."
        )
    return file

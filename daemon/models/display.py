"""How versions are shown: a table on a terminal, plain columns when piped, JSON when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer

from daemon.console.redaction import one_line, redacted
from daemon.console.tables import new_table, open_console, print_json
from daemon.models.early import early_of
from daemon.models.listing import Version
from ensemble.evaluation.promotion import describe_trial
from storage.model_index import ModelEntry
from storage.promotion_store import ModelEvent

SERVED_FROM = {
    "promoted": "serves",
    "rolled_back": "serves again",
    "pinned": "is pinned and serves",
    "unpinned": "is no longer pinned, the policy decides",
}


def show_versions(versions: Sequence[Version], *, as_json: bool) -> None:
    """One line a version."""
    if as_json:
        print_json([asdict(one) for one in versions])
        return
    console = open_console()
    columns = ("version", "state", "made (UTC)", "served from", "to", "live", "backtest")
    table = new_table(console, "", *columns, left=5)
    for one in versions:
        dates = (str(one.first_session or ""), str(one.last_session or ""))
        counts = (str(one.sessions), str(one.backtest_sessions))
        made = f"{one.created_at:%Y-%m-%d %H:%M}{', early' if one.early else ''}"
        table.add_row(one.model_id, one.state, made, *dates, *counts)
    console.print(table if versions else "no version is there yet; `run-once` makes one.")


def show_version(entry: ModelEntry, events: Sequence[ModelEvent], *, as_json: bool) -> None:
    """Its birth certificate, and what happened to it."""
    if as_json:
        print_json({"manifest": entry.manifest, "events": [asdict(one) for one in events]})
        return
    for name, value in _facts(entry.manifest).items():
        typer.echo(f"{name}: {value}")
    for event in events:
        typer.echo(f"{event.session}: {event.kind} by {event.actor}: {one_line(redacted(event.note))}")
        for label, scores in (event.scores or {}).items():
            typer.echo(f"  {label}: {describe_trial(scores)}")


def show_differences(found: Sequence[tuple[str, str, str]], names: tuple[str, str], *, as_json: bool) -> None:
    """One line for each thing in which two versions differ."""
    if as_json:
        print_json([{"name": name, names[0]: there, names[1]: here} for name, there, here in found])
        return
    console = open_console()
    table = new_table(console, "", "what", *names, left=3)
    for row in found:
        table.add_row(*row)
    console.print(table)


def show_event(event: ModelEvent, *, as_json: bool) -> None:
    """What a command has done, and from when on it counts."""
    if as_json:
        print_json(asdict(event))
        return
    typer.echo(f"model {event.model_id} {SERVED_FROM[event.kind]} from session {event.session} on")


def show_checked(faults: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
    """Each version's faults."""
    if as_json:
        print_json(faults)
        return
    for model_id, found in faults.items():
        typer.echo(f"{model_id}: {'; '.join(found) or 'whole'}")


def _facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    members = {name: " ".join(key[:12] for key in keys) for name, keys in manifest["members"]}
    libraries: Mapping[str, str] = manifest.get("libraries", {})
    early = early_of(manifest)
    return {
        "month": manifest["month"] if early is None else f"{manifest['month']}, {early.why()}",
        "trained on": f"{manifest['trained_from']} to {manifest['trained_to']}, {len(manifest['features'])} features",
        "symbols": ", ".join(manifest["symbols"]),
        "members": ", ".join(f"{name} ({keys})" for name, keys in members.items()),
        "who speaks": ", ".join(f"{label}: {method}" for label, method in manifest["methods"].items()),
        "parent": str(manifest.get("parent") or "none"),
        "made by": manifest["code_version"] if not libraries else manifest["code_version"].partition(", numpy")[0],
        "libraries": ", ".join(f"{name} {number}" for name, number in libraries.items()) or "see above",
    }

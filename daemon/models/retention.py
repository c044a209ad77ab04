"""Which versions may go: those that no stored forecast names, that neither serve nor can be rolled back to.

Their rows in `models` stay: of every version ever made it is known what it was. A crash leaves parts too many, never
one too few.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from daemon.models.cache import Pruned, PruneOptions, prune
from daemon.models.standing import Standing
from storage.model_folder import size_bytes
from storage.model_index import read_models
from storage.model_store import ModelStore

Manifests = Mapping[str, Mapping[str, Any]]


def expendable_versions(conn: Connection, standing: Standing, spoken: Manifests, *, keep: int) -> list[str]:
    """The oldest first; `spoken` are those that a stored forecast names, and the `keep` newest stay too."""
    versions = [entry.model_id for entry in read_models(conn)]  # newest first
    needed = {*spoken, *standing.served, *standing.on_trial, *versions[:keep]}
    return [model_id for model_id in reversed(versions) if model_id not in needed]


def prune_versions(
    store: ModelStore, expendable: Sequence[str], spoken: Manifests, *, budget_bytes: int | None, dry_run: bool
) -> tuple[Pruned, int]:
    """What went, and how many bytes are left: all that may go or, with a budget, the oldest until it is kept."""
    total, unused_since = size_bytes(store.root), datetime.max.replace(tzinfo=UTC)

    def without(oldest: int, *, dry_run: bool = True) -> Pruned:
        options = PruneOptions(unused_since, spoken, expendable=frozenset(expendable[:oldest]))
        return prune(store, options, dry_run=dry_run)

    going = len(expendable)
    if budget_bytes is not None:  # each trial looks at the whole folder, so not every number is tried
        going = bisect_left(range(going), total - budget_bytes, key=lambda oldest: without(oldest).size_bytes)
    pruned = without(going, dry_run=dry_run)
    return pruned, total - pruned.size_bytes

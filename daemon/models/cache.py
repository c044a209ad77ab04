"""The cache of trained parts: what each is for, and what can go.

A part is kept as long as a published model or the record of a month names it; a training that was interrupted is safe
too, because months are recorded before they are trained (but for a version that is made early). The clean-up holds the
instance lock, so it never takes anything from a daemon at work: a daemon that runs makes it stop with exit code 75.
"""

import json
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.models.factory import Recipe
from daemon.services import recipe_of
from storage.engine import reading
from storage.model_folder import StoredPart, changed_at, leftovers, manifest_keys, remove, size_bytes, stored_parts
from storage.model_index import spoken_models
from storage.model_store import ModelStore, ModelStoreError
from storage.record_store import records_of


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A part, and what refers to it."""

    part: StoredPart
    months: tuple[str, ...] = ()
    """Months whose record names it, the oldest first."""
    member: str | None = None
    models: tuple[str, ...] = ()
    """Published models that are made of it, the oldest first."""

    @property
    def is_needed(self) -> bool:
        """Something refers to it."""
        return bool(self.months or self.models)

    @property
    def month(self) -> str:
        """The first month that it serves, empty where that is not known."""
        return min((*self.months, *(model_id[:7] for model_id in self.models)), default="")


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """What may go besides what nothing refers to."""

    unused_since: datetime
    """Only what was last used, or made, before this instant goes."""
    spoken: Mapping[str, Mapping[str, Any]]
    """Models that a stored forecast names, with their manifests: they and their parts stay in any case."""
    recipe: Recipe | None = None
    """If given, models and months made by other settings than these go too; not members that these would use."""
    expendable: frozenset[str] = frozenset()
    """Versions that go in any case."""

    def keeps(self, recipe: str | None) -> bool:
        """Nothing that was made by that recipe goes for the sake of its settings."""
        return self.recipe is None or self.recipe.digest() == recipe


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go."""

    parts: tuple[CacheEntry, ...]
    models: tuple[str, ...]
    months: tuple[str, ...]
    """Records of months, by name."""
    leftovers: tuple[str, ...]
    """Unfinished drafts and damaged parts."""
    size_bytes: int
    kept: int
    """Parts that stay."""


@dataclass
class _References:
    """Key -> what names it."""

    months: dict[str, list[str]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    models: dict[str, list[str]] = field(default_factory=dict)


def prune_options(
    settings: Settings, engine: Engine, now: datetime, *, older_than_days: float, other_settings: bool
) -> PruneOptions:
    """What the command line asks for. Raises StoreError."""
    with reading(engine) as conn:
        spoken = {entry.model_id: entry.manifest for entry in spoken_models(conn)}
    recipe = recipe_of(settings) if other_settings else None
    return PruneOptions(now - timedelta(days=older_than_days), spoken, recipe)


def cache_entries(store: ModelStore) -> list[CacheEntry]:
    """Every part and what refers to it, the oldest month first, then what nothing refers to."""
    named = _references(_manifests(store), _month_records(store))
    return _entries(stored_parts(store), named)


def prune(store: ModelStore, options: PruneOptions, *, dry_run: bool) -> Pruned:
    """Removes what may go, references first: a crash leaves parts too many, never one too few."""
    manifests, records = _manifests(store), _month_records(store)
    models = [model_id for model_id, one in manifests.items() if _may_go(store, model_id, one, options)]
    ours = {key for one in records.values() if options.keeps(one["recipe"]) for key in _member_keys(one)}
    months = [name for name, one in records.items() if _record_may_go(store, name, one, options, ours)]
    kept_manifests = {model_id: one for model_id, one in manifests.items() if model_id not in models}
    kept_manifests.update(options.spoken)
    kept_records = {name: one for name, one in records.items() if name not in months}
    entries = _entries(stored_parts(store), _references(kept_manifests, kept_records))
    parts = [one for one in entries if not one.is_needed and one.part.used_at < options.unused_since]
    drafts = [path for path in leftovers(store) if changed_at(path) < options.unused_since]
    paths = [
        *(store.manifest_file(model_id) for model_id in models),
        *(records_of(store).path(name) for name in months),
        *(store.part_folder(one.part.key) for one in parts),
        *drafts,
    ]
    freed = sum(size_bytes(path) for path in paths)
    if not dry_run:
        _remove_all(paths)
    names = tuple(path.name for path in drafts)
    return Pruned(tuple(parts), tuple(models), tuple(months), names, freed, len(entries) - len(parts))


def _may_go(store: ModelStore, model_id: str, manifest: Mapping[str, Any], options: PruneOptions) -> bool:
    """Expendable; or made by other settings, unused for long, and no stored forecast speaks of it."""
    if model_id in options.expendable:
        return True
    if options.keeps(manifest.get("recipe")) or model_id in options.spoken:
        return False
    return changed_at(store.manifest_file(model_id)) < options.unused_since


def _record_may_go(
    store: ModelStore, name: str, record: Mapping[str, Any], options: PruneOptions, ours: Set[str]
) -> bool:
    """Made by other settings, for long not changed, and nothing else would keep a member that ours could use."""
    if options.keeps(record["recipe"]) or not _member_keys(record) & _usable(record, options.recipe) <= ours:
        return False
    return changed_at(records_of(store).path(name)) < options.unused_since


def _member_keys(record: Mapping[str, Any]) -> set[str]:
    return {key for keys in record["members"].values() for key in keys}


def _usable(record: Mapping[str, Any], recipe: Recipe | None) -> set[str]:
    """The keys under which `recipe` would look for its members of the record's window.

    Another stack, another threshold of it, or another release of the program makes another recipe, but trains nothing.
    """
    if recipe is None or "bars" not in record:
        return set()
    return {key for spec in recipe.ensemble.members for key in recipe.member_keys(spec, record["bars"])}


def _remove_all(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            remove(path)
        except OSError as error:
            raise ModelStoreError(f"{path} cannot be removed: {error.strerror}; mend its rights.") from error


def _manifests(store: ModelStore) -> dict[str, Mapping[str, Any]]:
    """Every readable version. A damaged one names nothing; `cache verify` tells of it."""
    manifests: dict[str, Mapping[str, Any]] = {}
    for model_id in store.model_ids():
        with suppress(ModelStoreError):
            manifests[model_id] = store.manifest(model_id)
    return manifests


def _month_records(store: ModelStore) -> dict[str, Mapping[str, Any]]:
    records = records_of(store)
    contents = {name: records.get(name) for name in records.names() if name.endswith(".json")}
    return {name: json.loads(content) for name, content in contents.items() if content is not None}


def _references(manifests: Mapping[str, Mapping[str, Any]], records: Mapping[str, Mapping[str, Any]]) -> _References:
    named = _References()
    for record in records.values():
        members = [(name, key) for name, keys in record["members"].items() for key in keys]
        for key in [*(key for _, key in members), record["forecasts"]]:
            named.months.setdefault(key, []).append(record["month"])
        named.members.update({key: name for name, key in members})
    for model_id, manifest in manifests.items():
        for key in manifest_keys(manifest):
            named.models.setdefault(key, []).append(model_id)
        named.members.update({key: name for name, keys in manifest["members"] for key in keys})
    return named


def _entries(parts: Sequence[StoredPart], named: _References) -> list[CacheEntry]:
    entries = [
        CacheEntry(
            part,
            tuple(sorted(set(named.months.get(part.key, [])))),
            named.members.get(part.key),
            tuple(named.models.get(part.key, [])),
        )
        for part in parts
    ]
    return sorted(entries, key=lambda one: (not one.is_needed, one.month, one.member or "~", one.part.key))

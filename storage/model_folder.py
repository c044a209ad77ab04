"""Housekeeping of the model folder: what lies in it, what of it is damaged, and how it is taken away."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage.model_store import ModelStore, ModelStoreError
from storage.record_store import records_of

KINDS = {"combiner.json": "combiner", "odds.npz": "forecasts", "golden.npz": "golden"}
"""File that only this kind of part has -> the kind. A member says itself what it is."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One part at rest."""

    key: str
    kind: str
    size_bytes: int
    used_at: datetime
    """When it was last read, or made."""


def stored_parts(store: ModelStore) -> list[StoredPart]:
    """Every published part, whole or not, by key."""
    return [_described(store.part_folder(key)) for key in store.part_keys()]


def leftovers(store: ModelStore) -> list[Path]:
    """Drafts of what was never finished, and damaged parts that were put aside."""
    folders = (store.root / "parts", store.root / "versions", records_of(store).root)
    return sorted(path for folder in folders for name in (".draft-*", ".damaged-*") for path in folder.glob(name))


def faults(store: ModelStore) -> Iterator[str]:
    """One line for each part, manifest or record that is not what it was when it was written, or is missing."""
    keys = set(store.part_keys())
    for key in sorted(keys):
        try:
            store.check_part(key)
        except ModelStoreError as error:
            yield str(error)
    for model_id in store.model_ids():
        try:
            manifest = store.manifest(model_id)
        except ModelStoreError as error:
            yield str(error)
            continue
        # Looked for again: a daemon at work may have made the part, and then the model, since the keys were listed.
        missing = [key for key in sorted(manifest_keys(manifest) - keys) if not store.has_part(key)]
        yield from (f"model {model_id}: its part {key[:24]} is missing." for key in missing)
    records = records_of(store)
    yield from (f"record {name} in {records.root} is damaged." for name in records.names() if records.get(name) is None)


def manifest_keys(manifest: Mapping[str, Any]) -> set[str]:
    """The keys of all parts that a version is made of."""
    golden = [key] if (key := manifest.get("golden")) else []
    return {manifest["combiner"], *golden, *(key for _, keys in manifest["members"] for key in keys)}


def size_bytes(path: Path) -> int:
    """Of a file, or of all files below a folder."""
    return (
        path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    )


def changed_at(path: Path) -> datetime:
    """When the file was written, or the part last used."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def remove(path: Path) -> None:
    """Takes a file or folder away; a folder is renamed first, so that a crash leaves no half part under its name."""
    if path.is_file():
        path.unlink()
    elif path.name.startswith("."):
        shutil.rmtree(path)
    else:
        # A name of its own: what an earlier crash left of the same part must not be in the way for ever.
        aside = Path(tempfile.mkdtemp(prefix=".draft-removed-", dir=path.parent))
        path.rename(aside / path.name)
        shutil.rmtree(aside)


def _described(folder: Path) -> StoredPart:
    return StoredPart(folder.name, _kind(folder), size_bytes(folder), changed_at(folder))


def _kind(folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((folder / "member.json").read_bytes())["kind"])
    return next((kind for name, kind in KINDS.items() if (folder / name).is_file()), "unknown")

"""Which pieces a model folder is made of, and whether one is what it was when it was written."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from storage.model_store import ModelStore, ModelStoreError
from storage.record_store import records_of

Told = Callable[[Sequence[Any]], Iterable[Any]]
"""The same pieces one by one, while somebody is told how far it is; `iter` tells nobody."""


def places(root: Path) -> list[str]:
    """Every piece, as in "parts/KEY"; drafts and what was put aside are none.

    Versions are looked for first: one that is published meanwhile, and so missed, can't be without its parts.
    """
    return [f"{kind}/{name}" for kind in ("versions", "parts", "records") for name in _entries(root / kind)]


def is_whole(store: ModelStore, place: str) -> bool:
    """Whether the piece is there and matches its own checksums."""
    folder, name = place.split("/")
    try:
        if folder == "parts":
            store.check_part(name)
        elif folder == "versions":
            store.manifest(Path(name).stem)
        else:
            return records_of(store).get(name) is not None
    except (ModelStoreError, ValueError):
        return False
    return True


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[!.]*"))

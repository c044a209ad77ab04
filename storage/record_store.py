"""Small files by name, each replaced as a whole: what, unlike a part, changes under its name."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from storage.durable import replace_durably
from storage.model_store import ModelStore, writing

CHECKSUM_CHARS = 64


@dataclass(frozen=True, slots=True)
class RecordStore:
    """A folder of files, each its content's SHA-256 in hexadecimal followed by the content."""

    root: Path

    def get(self, name: str) -> bytes | None:
        """The record's content; None where there is none, or a damaged one: it may as well be made again."""
        try:
            stored = self.path(name).read_bytes()
        except OSError:
            return None
        content = stored[CHECKSUM_CHARS:]
        return content if stored[:CHECKSUM_CHARS] == _checksum(content) else None

    def put(self, name: str, content: bytes) -> None:
        """Makes or replaces the record; equal content writes nothing. Raises ModelStoreError."""
        if self.get(name) == content:
            return
        with writing(self.root):
            replace_durably(self.path(name), _checksum(content) + content, draft=self.root / f".draft-{name}")

    def names(self) -> list[str]:
        """Every record's name, in order; drafts are none."""
        return sorted(path.name for path in self.root.glob("[!.]*"))

    def path(self, name: str) -> Path:
        """The record's file."""
        return self.root / name


def records_of(store: ModelStore) -> RecordStore:
    """The records that are kept beside the parts."""
    return RecordStore(store.root / "records")


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()

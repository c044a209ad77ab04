"""What lies where in the bucket, and what its two kinds of JSON say. docs/cloud.md shows it to people.

`archives/SHA256.tar` is one piece of a model folder and `snapshots/SHA256.json` says which pieces make up the folder;
both are named by their content and never changed. `databases/` holds backups under their own names. `LATEST` says which
snapshot and backup belong together, and is the only object that changes.
"""

import hashlib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.cloud.bucket import CloudError

LATEST = "LATEST"
ARCHIVES, SNAPSHOTS, DATABASES = "archives/", "snapshots/", "databases/"
MOST_RECORD_BYTES = 32 << 20
MOST_PIECES = 50_000
MOST_PIECE_BYTES = 1 << 30
MOST_BYTES = 64 << 30
"""Of a whole folder, or of a database."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BadRecord(CloudError):
    """A JSON object of the bucket that this program did not write, or that is damaged."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    def encoded(self) -> bytes:
        """As it lies in the bucket; equal records have equal bytes."""
        return self.model_dump_json(indent=1).encode()


class Piece(_Record):
    """One file or folder of the model folder, as an archive."""

    place: str = Field(pattern=r"^(parts|versions|records)/[A-Za-z0-9^][A-Za-z0-9.^=&_+-]{0,199}$")
    sha256: Digest
    """Of the archive."""
    size_bytes: int = Field(ge=0, le=MOST_PIECE_BYTES)

    @property
    def archive(self) -> str:
        """The object that holds it."""
        return f"{ARCHIVES}{self.sha256}.tar"


class Snapshot(_Record):
    """All that made up a model folder."""

    format: Literal[1] = 1
    pieces: tuple[Piece, ...] = Field(max_length=MOST_PIECES)

    @property
    def size_bytes(self) -> int:
        """Of all archives."""
        return sum(piece.size_bytes for piece in self.pieces)


class StoredBackup(_Record):
    """One database backup."""

    name: str = Field(pattern=r"^signals-(\d{4}-\d\d-\d\d|empty)-at-\d{8}T\d{6}Z\.db$")
    sha256: Digest
    size_bytes: int = Field(ge=0, le=MOST_BYTES)

    @property
    def place(self) -> str:
        """The object that holds it."""
        return f"{DATABASES}{self.name}"


class Latest(_Record):
    """What a machine that is rebuilt starts from."""

    format: Literal[1] = 1
    snapshot: Digest
    model_id: str | None = Field(default=None, max_length=200)
    """The version that served."""
    database: StoredBackup | None = None
    account: datetime | None = None
    """When the first decision of the live account was made: which account this is."""
    settled: date | None = None
    """The newest session that the database has settled."""
    pushed_at: datetime

    @property
    def snapshot_name(self) -> str:
        """The object that says what the snapshot is."""
        return snapshot_name(self.snapshot)

    def same_as(self, other: "Latest | None") -> bool:
        """Whether it says the same, whenever it was pushed."""
        return other is not None and self.model_copy(update={"pushed_at": other.pushed_at}) == other


AnyRecord = TypeVar("AnyRecord", bound=_Record)


def decoded(kind: type[AnyRecord], content: bytes, *, name: str, remedy: str) -> AnyRecord:
    """The record. Raises BadRecord for whatever this program would not have written."""
    try:
        record = kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRecord(f"{name} is refused ({where}: {first['msg']}); {remedy}") from error
    if isinstance(record, Snapshot):
        _check_whole(record, name)
    return record


def _check_whole(snapshot: Snapshot, name: str) -> None:
    places = {piece.place for piece in snapshot.pieces}
    if len(places) < len(snapshot.pieces):
        raise BadRecord(f"{name} is refused: it names a place twice.")
    if snapshot.size_bytes > MOST_BYTES:
        raise BadRecord(f"{name} is refused: {snapshot.size_bytes / 1e9:.0f} GB are more than any model folder has.")


def snapshot_name(digest: str) -> str:
    """The object of the snapshot with that digest."""
    return f"{SNAPSHOTS}{digest}.json"


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """The same of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

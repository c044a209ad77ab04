"""From the bucket onto this machine: pieces of the model folder, checked before they get their names."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from storage.cloud.archive import unpack
from storage.cloud.bucket import Bucket, BucketRefused, CloudError
from storage.cloud.contents import is_whole
from storage.cloud.layout import (
    MOST_RECORD_BYTES,
    BadRecord,
    Latest,
    Piece,
    Snapshot,
    decoded,
    digest_of,
    digest_of_file,
)
from storage.cloud.push import read_latest
from storage.durable import sync_folder
from storage.model_store import ModelStore, writing

ROOM_TO_LEAVE = 200_000_000
"""Bytes that a restore leaves free on the disk."""


def latest_of(bucket: Bucket, scratch: Path) -> Latest:
    """What LATEST says. Raises CloudError, also where there is none."""
    latest = read_latest(bucket, scratch)
    if latest is None:
        raise BucketRefused(
            f"{bucket.url} holds nothing yet; check cloud.bucket and cloud.prefix, or "
            "`models push` on the machine that has the models."
        )
    return latest


def read_snapshot(bucket: Bucket, latest: Latest, scratch: Path) -> Snapshot:
    """The pieces that LATEST goes by. Raises CloudError."""
    file = scratch / "snapshot.json"
    file.unlink(missing_ok=True)
    bucket.get(latest.snapshot_name, file, most_bytes=MOST_RECORD_BYTES)
    content = file.read_bytes()
    if digest_of(content) != latest.snapshot:
        raise BadRecord(f"{latest.snapshot_name} is not what its name says; `models push` from a machine that has it.")
    return decoded(Snapshot, content, name=latest.snapshot_name, remedy="it is of another reliance-daemon.")


def pull(bucket: Bucket, store: ModelStore, *, scratch: Path) -> list[str]:
    """Brings back what the folder lacks, and what is damaged in it; returns the places. What is whole stays.

    Raises CloudError and ModelStoreError; every piece that was brought by then stays, and is whole.
    """
    snapshot = read_snapshot(bucket, latest_of(bucket, scratch), scratch)
    missing = [piece for piece in snapshot.pieces if not is_whole(store, piece.place)]
    check_room(store.root, sum(piece.size_bytes for piece in missing))
    for piece in _parts_first(missing):
        fetch(bucket, piece, store.root)
    return [piece.place for piece in missing]


def fetch(bucket: Bucket, piece: Piece, root: Path) -> None:
    """Puts one piece into its place; what was there is put aside. Raises CloudError and ModelStoreError."""
    place = root / piece.place
    with writing(root):
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".draft-", dir=place.parent) as draft:
            archive, unpacked = Path(draft) / "archive.tar", Path(draft) / "unpacked"
            get_checked(bucket, piece.archive, archive, sha256=piece.sha256, size_bytes=piece.size_bytes)
            unpack(archive, unpacked, name=place.name)
            if place.exists():
                place.rename(Path(mkdtemp(prefix=".damaged-", dir=place.parent)) / place.name)
            (unpacked / place.name).rename(place)
            sync_folder(place.parent)


def get_checked(bucket: Bucket, name: str, target: Path, *, sha256: str, size_bytes: int) -> None:
    """Fetches an object of known content. Raises CloudError when it is another; `target` may be there then."""
    bucket.get(name, target, most_bytes=size_bytes)
    if digest_of_file(target) != sha256:
        raise CloudError(
            f"{bucket.url}/{name} is not what was stored; `models push` from a machine that has it puts it right."
        )


def check_room(folder: Path, size_bytes: int) -> None:
    """Raises CloudError where the disk has no room for so much."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if size_bytes + ROOM_TO_LEAVE > free:
        raise CloudError(
            f"the bucket holds {size_bytes / 1e6:.0f} MB, and {folder} has room for {free / 1e6:.0f}; free some space."
        )


def _parts_first(pieces: Iterable[Piece]) -> list[Piece]:
    """A version comes after its parts, so that after a kill none is without them."""
    return sorted(pieces, key=lambda piece: (piece.place.startswith("versions/"), piece.place))

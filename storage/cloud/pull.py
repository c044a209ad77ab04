"""From the bucket onto this machine: pieces of the model folder, checked before they get their names."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from storage.cloud.archive import unpack
from storage.cloud.bucket import Bucket, BucketRefused, CloudError
from storage.cloud.contents import Told, is_whole
from storage.cloud.layout import (
    MOST_RECORD_BYTES,
    SNAPSHOTS,
    BadRecord,
    Latest,
    Piece,
    Snapshot,
    decoded,
    digest_of,
    digest_of_file,
    snapshot_name,
)
from storage.cloud.push import read_latest
from storage.durable import sync_folder
from storage.model_folder import manifest_keys
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


def read_snapshot(bucket: Bucket, name: str, scratch: Path) -> Snapshot:
    """The pieces that the snapshot of that name has. Raises CloudError."""
    file = scratch / "snapshot.json"
    file.unlink(missing_ok=True)
    bucket.get(name, file, most_bytes=MOST_RECORD_BYTES)
    content = file.read_bytes()
    if snapshot_name(digest_of(content)) != name:
        raise BadRecord(f"{name} is not what its name says; `models push` from a machine that has it.")
    return decoded(Snapshot, content, name=name, remedy="it is of another reliance-daemon.")


def snapshots(bucket: Bucket, scratch: Path) -> Iterator[tuple[str, Snapshot]]:
    """Each with its name: the one that LATEST goes by, then the others, the newest first. Raises CloudError."""
    first = latest_of(bucket, scratch).snapshot_name
    yield first, read_snapshot(bucket, first, scratch)
    others = bucket.listed(SNAPSHOTS)
    others.pop(first, None)
    for name in sorted(others, key=lambda name: others[name].generation, reverse=True):
        if name.endswith(".json"):
            yield name, read_snapshot(bucket, name, scratch)


def pull(bucket: Bucket, store: ModelStore, *, scratch: Path, told: Told = iter) -> list[str]:
    """Brings back what the folder lacks, and what is damaged in it; returns the places. What is whole stays.

    Raises CloudError and ModelStoreError; every piece that was brought by then stays, and is whole.
    """
    snapshot = read_snapshot(bucket, latest_of(bucket, scratch).snapshot_name, scratch)
    return _brought(bucket, snapshot.pieces, store, told)


def pull_version(
    bucket: Bucket, store: ModelStore, name: str, *, scratch: Path, told: Told = iter
) -> tuple[str, list[str]]:
    """Brings one version, which may have been pruned here; its id, and the places. `name` is how the id begins.

    It is looked for in LATEST's snapshot, then in older ones. Raises as `pull`, and BucketRefused where none has it.
    """
    for _, snapshot in snapshots(bucket, scratch):
        found = [piece for piece in snapshot.pieces if piece.place.startswith(f"versions/{name}")]
        if len(found) > 1:
            raise BucketRefused(f"{len(found)} versions in {bucket.url} begin with {name!r}; give more of the id.")
        if found:
            model_id = Path(found[0].place).stem
            return model_id, _brought(bucket, _pieces_of(bucket, found[0], snapshot, scratch), store, told)
    raise BucketRefused(f"no version in {bucket.url} begins with {name!r}; `models list` shows those that were made.")


def _pieces_of(bucket: Bucket, version: Piece, snapshot: Snapshot, scratch: Path) -> list[Piece]:
    """The version and its parts."""
    fetch(bucket, version, scratch / "version")
    manifest = ModelStore(scratch / "version", read_only=True).manifest(Path(version.place).stem)
    by_place = {piece.place: piece for piece in snapshot.pieces}
    try:
        return [version, *(by_place[f"parts/{key}"] for key in sorted(manifest_keys(manifest)))]
    except KeyError as error:
        raise BucketRefused(f"{bucket.url} has {version.place} without its {error}; it was damaged then.") from None


def _brought(bucket: Bucket, pieces: Iterable[Piece], store: ModelStore, told: Told) -> list[str]:
    """The places of those that were not whole here."""
    missing = _parts_first(piece for piece in pieces if not is_whole(store, piece.place))
    check_room(store.root, sum(piece.size_bytes for piece in missing))
    for piece in told(missing):
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

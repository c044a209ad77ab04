"""From this machine into the bucket: what it lacks of the models, the newest backup, then LATEST, which names both.

A kill at any point leaves the old LATEST, with all that it names, or the new one with all that it names; what went up
before the kill is not sent again.
"""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ensemble.counted import counted
from storage.backups import Backup, backup_named
from storage.cloud.archive import pack
from storage.cloud.bucket import NEW, Bucket, BucketRefused, Stored, crc32c_of, local_faults
from storage.cloud.contents import Told, is_whole, places
from storage.cloud.layout import (
    ARCHIVES,
    DATABASES,
    LATEST,
    MOST_RECORD_BYTES,
    Latest,
    Piece,
    Snapshot,
    StoredBackup,
    decoded,
    digest_of,
    digest_of_file,
    snapshot_name,
)
from storage.model_folder import manifest_keys
from storage.model_store import ModelStore
from storage.restoring import check_restorable


@dataclass(frozen=True, slots=True)
class Local:
    """What this machine has."""

    models: ModelStore
    model_id: str | None
    """The version that serves."""
    backup: Backup | None
    account: datetime | None
    """When the first decision of the live account was made."""
    settled: date | None
    """The newest session that the backup has settled, or the database where no backup is mirrored."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to."""

    objects: int = 0
    """That were missing there and went up, LATEST included."""
    size_bytes: int = 0
    left_out: tuple[str, ...] = ()
    """Damaged pieces, which are not mirrored."""
    removed: int = 0
    """Old backups."""

    def line(self) -> str:
        """As in "12 objects, 3.4 MB"."""
        return f"{counted(self.objects, 'object')}, {self.size_bytes / 1e6:.1f} MB"

    def plus(self, sent: "Pushed") -> "Pushed":
        """Both together."""
        return Pushed(
            self.objects + sent.objects,
            self.size_bytes + sent.size_bytes,
            self.left_out + sent.left_out,
            self.removed + sent.removed,
        )


def push(  # noqa: PLR0913 - one for each option
    bucket: Bucket,
    local: Local,
    *,
    now: datetime,
    keep_backups: int,
    take_over: bool = False,
    told: Told = iter,
) -> Pushed:
    """Brings the bucket to what this machine has. Raises CloudError and BackupError; what went up stays.

    BucketRefused where the bucket is another account's, or has a later state of this one, unless `take_over`.
    """
    with local_faults(), TemporaryDirectory(prefix="cloud-push-") as scratch:
        folder = Path(scratch)
        generation = bucket.read(LATEST, folder / LATEST, most_bytes=MOST_RECORD_BYTES)
        before = None if generation is None or take_over else _decoded_latest(folder)
        if before is not None:
            _check_ours(bucket, before, local)
        snapshot, done = _push_models(bucket, local, folder, told)
        database, sent = _push_backup(bucket, local.backup)
        latest = Latest(
            snapshot=snapshot,
            model_id=local.model_id,
            database=database,
            account=local.account,
            settled=local.settled,
            pushed_at=now,
        )
        done = done.plus(sent)
        if not latest.same_as(before):
            bucket.put(LATEST, _written(latest.encoded(), folder), replaces=generation or NEW)
            done = done.plus(Pushed(1, len(latest.encoded())))
        return replace(done, removed=_forget_old(bucket, keep_backups, database))


def read_latest(bucket: Bucket, scratch: Path) -> Latest | None:
    """What LATEST says; None in a bucket without it. Raises CloudError."""
    generation = bucket.read(LATEST, scratch / LATEST, most_bytes=MOST_RECORD_BYTES)
    return None if generation is None else _decoded_latest(scratch)


def _decoded_latest(scratch: Path) -> Latest:
    remedy = "it is damaged, or of a newer reliance-daemon; `models push --take-over` writes it anew."
    return decoded(Latest, (scratch / LATEST).read_bytes(), name=LATEST, remedy=remedy)


def _check_ours(bucket: Bucket, latest: Latest, local: Local) -> None:
    if latest.account is not None and latest.account != local.account:
        raise BucketRefused(
            f"{bucket.url} holds another account, begun {latest.account:%Y-%m-%d %H:%M}Z; set another cloud.prefix, "
            "bring that account back with `restore --from-cloud`, or replace it with `models push --take-over`."
        )
    if latest.settled is not None and (local.settled is None or local.settled < latest.settled):
        raise BucketRefused(
            f"{bucket.url} has settled {latest.settled}, and this machine only {local.settled or 'nothing'}; see that "
            "no other machine works on this account, or go back with `models push --take-over`."
        )


def _push_models(bucket: Bucket, local: Local, scratch: Path, told: Told) -> tuple[str, Pushed]:
    """The digest of the snapshot, which is written once all that it names is there."""
    there, pieces, done = bucket.listed(ARCHIVES), list[Piece](), Pushed()
    for place in told(places(local.models.root)):
        if not is_whole(local.models, place):
            done = done.plus(Pushed(left_out=(place,)))
            continue
        with _packed(local.models.root / place, scratch) as archive:
            piece = Piece(place=place, sha256=digest_of_file(archive), size_bytes=archive.stat().st_size)
            done = done.plus(_send(bucket, piece.archive, archive, there))
        pieces.append(piece)
    _check_serving(local, {piece.place for piece in pieces})
    snapshot = Snapshot(pieces=tuple(sorted(pieces, key=lambda piece: piece.place))).encoded()
    return digest_of(snapshot), done.plus(_put(bucket, snapshot_name(digest_of(snapshot)), snapshot, scratch))


def _check_serving(local: Local, pushed: Set[str]) -> None:
    """What serves must be whole: a bucket with less would be no way back. Raises BucketRefused."""
    if local.model_id is None:
        return
    needed = {f"versions/{local.model_id}.json"}
    if needed <= pushed:
        needed |= {f"parts/{key}" for key in manifest_keys(local.models.manifest(local.model_id))}
    for place in sorted(needed - pushed):
        raise BucketRefused(
            f"{place} of the serving model {local.model_id} is damaged or missing here, so LATEST stays as it is; "
            "`models pull` brings it back, or the next session trains it again."
        )


def _push_backup(bucket: Bucket, backup: Backup | None) -> tuple[StoredBackup | None, Pushed]:
    if backup is None:
        return None, Pushed()
    stored = StoredBackup(name=backup.path.name, sha256=digest_of_file(backup.path), size_bytes=backup.size_bytes)
    listed = bucket.listed(stored.place)
    if not listed:
        check_restorable(backup.path)  # it may have been made long ago
    return stored, _send(bucket, stored.place, backup.path, listed)


def _forget_old(bucket: Bucket, keep: int, newest: StoredBackup | None) -> int:
    """Removes all but the `keep` newest backups, never the one that LATEST names; 0 keeps every one."""
    if not keep or newest is None:
        return 0
    there = {name: found for name, found in bucket.listed(DATABASES).items() if backup_named(Path(name)) is not None}
    old = sorted(there.keys() - {newest.place}, key=_age)[: -(keep - 1) or None]
    for name in old:
        bucket.remove(name, generation=there[name].generation)
    return len(old)


def _age(name: str) -> tuple[date, datetime]:
    backup = backup_named(Path(name))
    assert backup is not None  # the others were left out
    return backup.session or date.min, backup.made_at


def _put(bucket: Bucket, name: str, content: bytes, scratch: Path) -> Pushed:
    return _send(bucket, name, _written(content, scratch), bucket.listed(name))


def _written(content: bytes, scratch: Path) -> Path:
    file = scratch / "record.json"
    file.write_bytes(content)
    return file


def _send(bucket: Bucket, name: str, file: Path, listed: Mapping[str, Stored]) -> Pushed:
    """Nothing where the bucket has it; in place of what it has damaged."""
    there = listed.get(name)
    if there is not None and (there.size_bytes, there.crc32c) == (file.stat().st_size, crc32c_of(file)):
        return Pushed()
    bucket.put(name, file, replaces=NEW if there is None else there.generation)
    return Pushed(1, file.stat().st_size)


@contextmanager
def _packed(place: Path, scratch: Path) -> Iterator[Path]:
    archive = scratch / "archive.tar"
    try:
        pack(place, archive)
        yield archive
    finally:
        archive.unlink(missing_ok=True)

"""What lies in the bucket and nothing needs any more, taken away: snapshots first, then what only they named.

So every snapshot that is there has all that it names, also after a kill, and LATEST's is never touched.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from storage.cloud.bucket import Bucket, Stored
from storage.cloud.layout import ARCHIVES, SNAPSHOTS, Snapshot
from storage.cloud.pull import snapshots


@dataclass(frozen=True, slots=True)
class Removed:
    """What went."""

    snapshots: int = 0
    archives: int = 0
    size_bytes: int = 0


def prune_bucket(bucket: Bucket, needed: Set[str], *, scratch: Path) -> Removed:
    """Removes all but LATEST's snapshot and its archives. Call it while nobody pushes. Raises CloudError.

    What is `needed`, as in "parts/KEY", and lacks in that snapshot, for it is damaged here or was lost, stays with the
    newest one that has it.
    """
    kept = dict(_kept(bucket, needed, scratch))
    archives = {piece.archive for snapshot in kept.values() for piece in snapshot.pieces}
    old = _without(bucket.listed(SNAPSHOTS), kept.keys(), suffix=".json")
    unnamed = _without(bucket.listed(ARCHIVES), archives, suffix=".tar")
    for name, found in (*old.items(), *unnamed.items()):
        bucket.remove(name, generation=found.generation)
    freed = sum(found.size_bytes for found in (*old.values(), *unnamed.values()))
    return Removed(len(old), len(unnamed), freed)


def _kept(bucket: Bucket, needed: Set[str], scratch: Path) -> Iterator[tuple[str, Snapshot]]:
    """LATEST's, and as many of the others, the newest first, as it takes to have all that is needed."""
    lacking = set(needed)
    for place, (name, snapshot) in enumerate(snapshots(bucket, scratch)):
        there = lacking & {piece.place for piece in snapshot.pieces}
        if there or place == 0:
            yield name, snapshot
        lacking -= there
        if not lacking:
            return


def _without(listed: dict[str, Stored], kept: Set[str], *, suffix: str) -> dict[str, Stored]:
    """What is ours by its name, and not kept."""
    return {name: found for name, found in listed.items() if name not in kept and name.endswith(suffix)}

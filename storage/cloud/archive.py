"""One piece of the model folder as one file: a tar of plain files, equal bytes for equal contents, unpacked warily."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from storage.cloud.bucket import CloudError
from storage.durable import sync_folder, write_durably

MOST_FILES = 100
"""Of one piece; a trained part has five or so."""
MOST_DEPTH = 4
_NAME = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=&_+-]{0,199}")
"""Of a file or folder: nothing hidden, and no way out."""


class BadArchive(CloudError):
    """An archive that this program did not make, or that is no longer what it made."""


def pack(place: Path, archive: Path) -> None:
    """Writes a file, or a folder with all in it, to the new file `archive`. Raises OSError and BadArchive."""
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if not path.is_dir())
    with tarfile.open(archive, "x", format=tarfile.USTAR_FORMAT) as tar:
        for file in files:
            name = file.relative_to(place.parent).as_posix()
            _check_name(name, place.name)
            if file.is_symlink() or not file.is_file():
                raise BadArchive(f"{file} is no plain file, and is not mirrored; remove it.")
            member = tarfile.TarInfo(name)  # without owner and time: equal contents, equal bytes
            member.size, member.mode = file.stat().st_size, 0o600
            with file.open("rb") as content:
                tar.addfile(member, content)


def unpack(archive: Path, folder: Path, *, name: str) -> None:
    """Writes the piece `name` into the empty `folder`, and waits until it is on the disk.

    Raises BadArchive for anything but plain files, each once, in or as `name`, no larger than the archive itself.
    """
    seen = set[str]()
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in _plain_members(tar, archive.stat().st_size):
                _check_name(member.name, name)
                if member.name in seen or len(seen) >= MOST_FILES:
                    raise BadArchive(f"the archive of {name} holds a file twice, or over {MOST_FILES}; it is refused.")
                seen.add(member.name)
                content = tar.extractfile(member)
                assert content is not None  # which it is for what is no plain file
                _write(folder / member.name, content)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise BadArchive(f"the archive of {name} can't be unpacked ({error}); it is refused.") from error
    if not (folder / name).exists():
        raise BadArchive(f"the archive of {name} does not hold it; it is refused.")


def _plain_members(tar: tarfile.TarFile, most_bytes: int) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if member.type != tarfile.REGTYPE:  # no links, no devices, nothing sparse, which would be larger than it is
            raise BadArchive(f"the archive holds {member.name!r}, which is no plain file; it is refused.")
        if not 0 <= member.size <= most_bytes:
            raise BadArchive(f"the archive says that {member.name!r} is larger than itself; it is refused.")
        yield member


def _check_name(name: str, piece: str) -> None:
    parts = PurePosixPath(name).parts
    inside = parts[:1] == (piece,) and "/".join(parts) == name and len(parts) <= MOST_DEPTH
    if not inside or not all(map(_NAME.fullmatch, parts)):
        raise BadArchive(f"the archive of {piece} names a file {name[:200]!r}; it is refused.")


def _write(path: Path, content: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content.read())
    sync_folder(path.parent)

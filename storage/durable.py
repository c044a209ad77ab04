"""Files that are whole or not there, also after a power cut."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Writes a new file and waits until it is on the disk. `mode`: its rights, by default those of the umask."""
    with path.open("wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes, *, draft: Path, mode: int | None = None) -> None:
    """Writes `draft`, beside `path`, and renames it: a reader sees the old content or the new. `mode` as above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(draft, content, mode=mode)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A rename lasts through a power cut only once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner(path: Path) -> None:
    """What root makes in another user's folder becomes that user's: a service could not read it otherwise."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)

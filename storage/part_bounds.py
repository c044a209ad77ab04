"""What a stored part may be at most: checked before anything in it is read, for it may come from elsewhere."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

MOST_FILES = 64
MOST_BYTES = 256 << 20
"""Of a part, as it lies and unpacked; the largest that the program makes is some 20 MB."""
MOST_ARRAYS = 256


class OutOfBounds(ValueError):
    """Something is larger, or otherwise named, than anything that the program makes."""


def check_list(sums: object) -> Mapping[str, str]:
    """The list of a part's files and digests. Raises OutOfBounds: none may lead out of its folder."""
    if not isinstance(sums, dict) or len(sums) > MOST_FILES:
        raise OutOfBounds(f"its list of files must be an object of at most {MOST_FILES}")
    for name, digest in sums.items():
        if not name or name.startswith(".") or Path(name).name != name or not isinstance(digest, str):
            raise OutOfBounds(f"its list names {name[:40]!r}, which is no plain file name with a digest")
    return sums


def check_sizes(paths: list[Path]) -> None:
    """Raises OutOfBounds when the files are too large together, OSError when one is missing."""
    size = sum(path.stat().st_size for path in paths)
    if size > MOST_BYTES:
        raise OutOfBounds(f"its files have {size} bytes; at most {MOST_BYTES} are read")


def check_arrays(path: Path) -> None:
    """Looks at the directory of an .npz alone. Raises OutOfBounds when it would unpack to too much.

    What is no archive is refused by whoever reads it.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ARRAYS or size > MOST_BYTES:
        raise OutOfBounds(f"{path.name} would unpack to {len(entries)} arrays of {size} bytes")

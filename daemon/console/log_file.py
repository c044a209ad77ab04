"""The log's file: each line whole or not there, a new file when it is full, and work goes on when the disk is."""

import errno
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from ensemble.counted import counted


@dataclass
class LogFile:
    """What loguru writes its lines to. That the disk refuses them, and no longer, is told on standard error."""

    path: Path
    full_bytes: int
    kept: int
    """Full files that stay."""
    _file: FileIO | None = field(default=None, init=False, repr=False)
    _lost: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.write("")  # the file is there from the start, or the first complaint is

    def write(self, line: str) -> None:
        """Appends the line; where that fails the line is lost, and nothing is raised."""
        try:
            self._append(line.encode())
        except OSError as error:
            if not self._lost:
                _tell(f"log: {self.path} can't be written ({error.strerror}); free some space or mend its rights")
            self._lost += 1
        else:
            if self._lost:
                _tell(f"log: {self.path} is written again; it lacks {counted(self._lost, 'line')}")
            self._lost = 0

    def stop(self) -> None:
        """Closes the file; loguru calls it when it is done."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = FileIO(self.path, "a")
        file, size = self._file, self._file.tell()
        if size and size + len(line) > self.full_bytes:
            self._file = None  # where the next one can't be had, the next line tries again
            file, size = self._next(file), 0
            self._file = file
        if file.write(line) < len(line):
            file.truncate(size)
            file.seek(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _next(self, full: FileIO) -> FileIO:
        """An empty file, after the full one was put aside and the oldest of those removed."""
        full.close()
        name = f"{self.path.stem}.{datetime.now(UTC):%Y-%m-%d_%H-%M-%S_%f}{self.path.suffix}"
        with suppress(FileNotFoundError):  # somebody has moved or removed it
            self.path.rename(self.path.with_name(name))
        aside = sorted(
            self.path.parent.glob(f"{self.path.stem}.*{self.path.suffix}"), key=lambda one: one.stat().st_mtime
        )
        for oldest in aside[: -self.kept]:
            oldest.unlink(missing_ok=True)
        return FileIO(self.path, "a")


def _tell(line: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # there may be no standard error either
        sys.stderr.write(f"{line}\n")

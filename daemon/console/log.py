"""The log: one line an event, on standard error and in a file that is changed when it is full.

Nothing that comes from elsewhere can break a line, colour a terminal or bring a secret in, and no traceback shows the
values of variables.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from loguru import logger
from pydantic import Field

from daemon.console.log_file import LogFile
from daemon.console.redaction import one_line, redacted
from daemon.errors import DaemonError
from ensemble.options import Options

if TYPE_CHECKING:
    from loguru import Record

TIMED = "{time:YYYY-MM-DD HH:mm:ss}Z "
LINE = "{level: <7} {message}"
FILE_NAME = "reliance-daemon.log"


class LogOptions(Options):
    """The [log] table: what is written down, and for how long."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="what is written: this and what matters more"
    )
    format: Literal["text", "json"] = Field(default="text", description="how a line is written")
    file: bool = Field(default=True, description="whether there is a file beside standard error")
    folder: Path | None = Field(
        default=None,
        description="folder of that file, else state_dir; a relative one starts at the configuration's folder",
    )
    rotation_mb: float = Field(default=10, gt=0, le=10_000, description="size at which a new file begins, megabytes")
    retention_files: int = Field(default=10, ge=1, le=10_000, description="full files that are kept, count")


def open_log(
    state_dir: Path,
    options: LogOptions,
    *,
    debug: bool,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Sends the log to standard error (unless `quiet`) and to reliance-daemon.log in log.folder, else in `state_dir`.

    Under systemd, whose journal stamps each line, standard error gets no time. Raises DaemonError for a file that
    can't be written.
    """
    logger.remove()
    level = "DEBUG" if debug else options.level
    logger.configure(patcher=_patch)
    if not quiet:
        stamped = "JOURNAL_STREAM" not in environ
        logger.add(
            sys.stderr,
            format=_format(options, stamped=stamped),
            level=level,
            filter=_not_printed,
            backtrace=False,
            diagnose=False,
        )
    if options.file:
        _open_file(options.folder or state_dir, options, level)


def _open_file(folder: Path, options: LogOptions, level: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(
            f"the log {folder / FILE_NAME} can't be written: {error.strerror}; mend it, or set log.folder or log.file."
        ) from error
    logger.add(
        LogFile(folder / FILE_NAME, int(options.rotation_mb * 1e6), options.retention_files),
        format=_format(options, stamped=True),
        level=level,
        backtrace=False,
        diagnose=False,
    )


def log_printed_error(error: Exception) -> None:
    """Into the file alone: the command line prints the same as its last line."""
    logger.bind(printed=True).error("{}", error)


def _format(options: LogOptions, *, stamped: bool) -> "Callable[[Record], str]":
    """How a record becomes a line. A function, because loguru adds a traceback of many lines to a mere text."""
    line = "{extra[json]}" if options.format == "json" else f"{TIMED if stamped else ''}{LINE}"
    return lambda _: f"{line}\n"


def _not_printed(record: "Record") -> bool:
    return not record["extra"].get("printed", False)


def _patch(record: "Record") -> None:
    """The record as every sink gets it: in UTC, in one line, without a secret."""
    record["time"] = record["time"].astimezone(UTC)
    said = record["message"]
    if record["exception"] is not None:
        said = f"{said} | {''.join(traceback.format_exception(*record['exception'])).strip()}"
        record["exception"] = None
    record["message"] = one_line(redacted(said))
    event = {
        "time": f"{record['time']:%Y-%m-%dT%H:%M:%S.%f}Z",
        "level": record["level"].name,
        "message": record["message"],
        "module": record["name"],
        "line": record["line"],
    }
    record["extra"]["json"] = json.dumps(event)

"""The log: one line an event, on standard error and in a rotated file."""

import sys
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

LINE = "{time:YYYY-MM-DD HH:mm:ss}Z {level: <7} {message}"


def open_log(state_dir: Path, *, debug: bool, quiet: bool = False) -> None:
    """Sends the log to standard error (unless `quiet`) and to `state_dir`/reliance-daemon.log, 10 MB a file, ten kept.

    Values of variables never appear in it: a traceback could show a secret.
    """
    logger.remove()
    level = "DEBUG" if debug else "INFO"
    logger.configure(patcher=_in_utc)
    if not quiet:
        logger.add(sys.stderr, format=LINE, level=level, filter=_not_printed, backtrace=False, diagnose=False)
    logger.add(
        state_dir / "reliance-daemon.log",
        format=LINE,
        level=level,
        rotation="10 MB",
        retention=10,
        backtrace=False,
        diagnose=False,
    )


def log_printed_error(error: Exception) -> None:
    """Into the file alone: the command line prints the same as its last line."""
    logger.bind(printed=True).error("{}", error)


def _not_printed(record: "Record") -> bool:
    return not record["extra"].get("printed", False)


def _in_utc(record: "Record") -> None:
    record["time"] = record["time"].astimezone(UTC)

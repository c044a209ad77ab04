"""The configuration file: found, read and parsed, each failure told in one line."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.config.bounds import LARGEST_BYTES, check_shape
from daemon.errors import ConfigError

CONFIG_PATHS = (Path("/etc/reliance-daemon/config.toml"), Path("config.toml"))
"""Where the configuration is looked for when no path is given; the first one there counts."""


def read_config(path: Path | None, config_paths: Sequence[Path]) -> tuple[Path | None, dict[str, Any]]:
    """The file that counts and what it says; (None, {}) without a `path` and a file at any of `config_paths`.

    Raises ConfigError when `path` is not there, and for a file that can't be read or is no TOML.
    """
    for candidate in config_paths if path is None else (path,):
        text = _read(candidate)
        if text is not None:
            return candidate, _parse(text, candidate)
    if path is not None:
        raise ConfigError(f"configuration {path} was not found; give --config the path of a file.")
    return None, {}


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:  # not all of it: what has no end is no configuration
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ConfigError(
                f"configuration {path} is larger than {LARGEST_BYTES:,} bytes; give --config another file."
            )
        return content.decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"configuration {path} could not be read ({error.strerror}); mend that or give another --config."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {path} is no UTF-8 text; save it as UTF-8.") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _fault(str(error), text)
        raise ConfigError(f"{path}, line {line}: {what}; mend that line.") from None
    except ValueError:
        raise ConfigError(f"{path}: a number has thousands of digits; mend that line.") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables lie too deep; mend that line.") from None
    check_shape(document, path)
    return document


def _fault(message: str, text: str) -> tuple[str, int]:
    """What is wrong in which line, from "... (at line 3, column 5)" or "... (at end of document)"."""
    what, _, place = message.rpartition(" (at ")
    line = re.match(r"line (\d+)", place)
    return what[:1].lower() + what[1:], int(line[1]) if line else max(len(text.splitlines()), 1)

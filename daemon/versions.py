"""By which code and which libraries a model is made: where these differ, it is another model.

The code counts file by file, to the byte. So a release that leaves these files alone trains nothing again; a reworded
comment in one of them does, for nothing cheap tells it from a changed rule.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ensemble

LIBRARIES = ("numpy", "pandas", "TA-Lib", "scipy", "scikit-learn", "lightgbm", "numba", "keras")
BEFORE_FEATURES = ("validation", "counted.py")
"""What decides which bars are kept: a model is told by the bars that it saw, not by the rules that let them in. And
what only makes lines that people read."""
AFTER_FORECASTS = (
    *BEFORE_FEATURES,
    "evaluation",
    "forecasts.py",
    "session_forecasts.py",
    "trading",
)
"""Folders and files of `ensemble` that no model depends on; of the limits it is their values that count, not code."""
AFTER_TRAINING = (*AFTER_FORECASTS, "long_run.py", "stacking", "model.py")
"""The same for a single member: what only says how members are put together."""
JUDGES = (*BEFORE_FEATURES, "evaluation")
"""What neither forecasts nor trades."""
_CODE = Path(ensemble.__file__).parent


@cache  # a process does not change its code or its libraries
def code_version() -> str:
    """What a model is made by, e.g. "reliance-daemon 0.1.0, ensemble 1f2e3d4c5b6a, numpy 2.4.0, ..."."""
    return f"reliance-daemon {version('reliance-daemon')}, {_versions(AFTER_FORECASTS)}"


@cache
def training_version() -> str:
    """The same for a trained member; the version of the project is not in it, its code is."""
    return _versions(AFTER_TRAINING)


@cache
def deciding_version() -> str:
    """What a session is decided and settled by: all of that, what trades on it, and the tables that it looks up."""
    tables = code_digest(_CODE, JUDGES, suffix=".csv")
    return f"reliance-daemon {version('reliance-daemon')}, {_versions(JUDGES)}, tables {tables}"


def library_versions() -> dict[str, str]:
    """Name -> version of each library that a model is made by."""
    return {name: version(name) for name in (*LIBRARIES, _tensorflow())}


def code_digest(folder: Path, without: tuple[str, ...], *, suffix: str = ".py") -> str:
    """Short SHA-256 of the Python or other files in `folder`, their names and content, less those `without`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(f"*{suffix}")):
        name = path.relative_to(folder)
        if name.as_posix() not in without and name.parts[0] not in without:
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _versions(without: tuple[str, ...]) -> str:
    return f"ensemble {code_digest(_CODE, without)}, {_libraries()}"


@cache  # each takes milliseconds to read from the disk
def _libraries() -> str:
    return ", ".join(f"{name} {number}" for name, number in library_versions().items())


def _tensorflow() -> str:
    """Under which of its names TensorFlow is installed."""
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    raise PackageNotFoundError("tensorflow")

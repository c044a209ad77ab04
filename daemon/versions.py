"""The versions that a trained model depends on."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

TRAINING_LIBRARIES = ("reliance-daemon", "numpy", "scikit-learn", "lightgbm", "keras")


@cache  # each takes 15 ms to read from the disk, and a process does not change its libraries
def code_version() -> str:
    """All of them in a line, e.g. "reliance-daemon 0.1.0, lightgbm 4.7.0, ..."."""
    return ", ".join(f"{name} {version(name)}" for name in (*TRAINING_LIBRARIES, _tensorflow()))


def _tensorflow() -> str:
    """The name TensorFlow is installed under here."""
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    raise PackageNotFoundError("tensorflow")

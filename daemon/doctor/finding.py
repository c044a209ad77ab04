"""What one check of `doctor` found."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    level: Level
    seen: str
    remedy: str = ""
    """What to do; empty where all is well."""


def ok(check: str, seen: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", seen)


def warn(check: str, seen: str, remedy: str) -> Finding:
    """The daemon works, and something should be looked at."""
    return Finding(check, "warn", seen, remedy)


def fail(check: str, seen: str, remedy: str) -> Finding:
    """The daemon does not work, or not for long, or not as it is believed to."""
    return Finding(check, "fail", seen, remedy)

"""Is the program installed as it should be: whose the module names are, which Python, which libraries."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import daemon
import ensemble
import storage
from daemon.doctor.finding import Finding, fail, ok, warn

PROGRAM = "reliance-daemon"
MODULES = ("daemon", "ensemble", "storage")
PYTHONS = ((3, 11), (3, 14))
"""The first that will do, and the first that won't."""

_PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)
_PLAIN_NAME = re.compile(r"^[A-Za-z0-9._-]+(?=[^;]*$)")
_SHOWN = 3

Installed = Callable[[str], str | None]
"""The version of a distribution, None when it is not installed."""


def installation_findings() -> Iterator[Finding]:
    """Of this process."""
    yield owner_finding(packages_distributions(), [str(one.__file__) for one in (daemon, ensemble, storage)])
    yield python_finding(sys.version_info[:3])
    lock = Path(daemon.__file__).parents[1] / "requirements.lock"
    yield library_finding(_installed, requires(PROGRAM) or (), lock.read_text() if lock.is_file() else "")


def owner_finding(distributions: Mapping[str, Sequence[str]], files: Sequence[str]) -> Finding:
    """Are the three modules, with names that others use too, all this program's? `daemon` is also python-daemon's."""
    strangers = sorted({owner for name in MODULES for owner in distributions.get(name, ())} - {PROGRAM})
    if strangers:
        return fail(
            "installation",
            f"{', '.join(strangers)} brings modules named {', '.join(MODULES)} too",
            f"{PROGRAM} needs a virtual environment of its own: install it in a new one.",
        )
    homes = sorted({str(Path(file).parents[1]) for file in files})
    if len(homes) > 1:
        return fail(
            "installation", f"its modules come from {' and '.join(homes)}", "unset PYTHONPATH, or install anew."
        )
    return ok("installation", f"{PROGRAM} in {homes[0]}, {sys.executable}")


def python_finding(found: Sequence[int]) -> Finding:
    """Is it a Python that the program is tested with?"""
    name = ".".join(map(str, found))
    if PYTHONS[0] <= tuple(found[:2]) < PYTHONS[1]:
        return ok("python", name)
    return fail("python", name, "install it with Python 3.11 to 3.13.")


def library_finding(installed: Installed, required: Sequence[str], lock: str) -> Finding:
    """Is every library there that is `required`, and each in the version of the lock, where there is a lock?"""
    names = [name[0] for text in required if (name := _PLAIN_NAME.match(text))]
    missing = [name for name in names if installed(name) is None]
    if missing:
        return fail("libraries", f"not installed: {', '.join(missing)}", "install anew, e.g. by `make`.")
    pins: dict[str, set[str]] = {}
    for name, pin in _PIN.findall(lock):
        pins.setdefault(name, set()).add(pin)
    there = {name: found for name in pins if (found := installed(name)) is not None}
    others = [f"{name} {found}, not {min(pins[name])}" for name, found in there.items() if found not in pins[name]]
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        return warn(
            "libraries",
            f"other than locked: {'; '.join(others[:_SHOWN])}{more}",
            "`make` installs those that the tests ran with; some of them make other models.",
        )
    if not pins:
        return ok("libraries", f"{len(names)} required, all there; no lock beside the program to compare with")
    return ok("libraries", f"{len(there)} as locked")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""What a configuration may be at most: its size, how deep its tables lie, what its keys and texts consist of."""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.errors import ConfigError

LARGEST_BYTES = 1_000_000
DEEPEST = 20
LONGEST_KEY = 100
LONGEST_TEXT = 4_000
"""Characters: room for every path that Linux opens and every URL that is one."""

Step = tuple[str, Any, int]
"""A name, its value, and how many tables and lists it lies in."""


def check_shape(document: Mapping[str, Any], source: object) -> None:
    """Raises ConfigError for a key that is endless or not printable, and for tables that lie too deep."""
    for name, _, depth in _steps(document):
        if depth > DEEPEST:
            shown = ascii(name[:LONGEST_KEY])
            raise ConfigError(f"{source}: {shown}... lies in more than {DEEPEST} tables or lists; no key does.")
        if len(name) > DEEPEST * LONGEST_KEY or not name.isprintable():
            raise ConfigError(f"{source}: a key was {name[:LONGEST_KEY]!a}...; it must be a known name.")


def check_texts(document: Mapping[str, Any]) -> None:
    """Raises ConfigError for a text that is endless, or could forge a line: a path with a line break, say.

    The text is not shown: it may be a secret.
    """
    for name, value, _ in _steps(document):
        if isinstance(value, str) and not (value.isprintable() and len(value) <= LONGEST_TEXT):
            raise ConfigError(
                f"{name} has {len(value)} characters{'' if value.isprintable() else ', not all of them printable'}; "
                f"it must be printable text of at most {LONGEST_TEXT}."
            )


def _steps(document: Mapping[str, Any]) -> Iterator[Step]:
    """All that is in it, without recursion: what lies too deep must not be the end of the program that says so."""
    left: list[Step] = [(name, value, 1) for name, value in document.items()]
    while left:
        name, value, depth = left.pop()
        yield name, value, depth
        if depth > DEEPEST:
            return
        if isinstance(value, Mapping):
            left.extend((f"{name}.{inner}", item, depth + 1) for inner, item in value.items())
        elif isinstance(value, list):
            left.extend((f"{name}[{number}]", item, depth + 1) for number, item in enumerate(value))

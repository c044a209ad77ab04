"""Configuration from the environment: RELIANCE_DAEMON__RISK__LOT_SIZE=5 is `lot_size = 5` in [risk]."""

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from daemon.errors import ConfigError
from ensemble.options import Options

PREFIX = "RELIANCE_DAEMON__"

Key = tuple[str, ...]
"""Tables from the outside in, then the key."""


class Override(NamedTuple):
    """One key set by one variable."""

    variable: str
    value: Any


def read_overrides(environ: Mapping[str, str], model: type[Options]) -> dict[Key, Override]:
    """What `environ` sets, by key of `model`. Raises ConfigError for a variable that stands for no key.

    A value is read as TOML (`3`, `true`, `["A.NS", "B.NS"]`), and as plain text where it is none.
    """
    known = {variable_of(key): key for key in leaf_keys(model)}
    given = sorted(name for name in environ if name.startswith(PREFIX))
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.85)
            hint = f"did you mean {near[0]}?" if near else f"write {PREFIX}TABLE__KEY, or unset it."
            raise ConfigError(f"unknown variable {name}; {hint}")
    return {known[name]: Override(name, _parse(environ[name])) for name in given}


def variable_of(key: Key) -> str:
    """The variable that sets `key`."""
    return PREFIX + "__".join(key).upper()


def leaf_keys(model: type[Options]) -> Iterator[Key]:
    """Every key of `model` that holds a value and not a table of keys, in the order of the fields."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Options):
            yield from ((name, *key) for key in leaf_keys(field.annotation))
        else:
            yield (name,)


def _parse(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, or a number or list that no setting has
        return text
    # A text with line breaks could hold further keys: it is no literal.
    return document["value"] if len(document) == 1 else text

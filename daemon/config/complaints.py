"""A refused configuration in one line: name, value, rule, remedy."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, time
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from daemon.config.overrides import Key, Override, leaf_keys
from daemon.config.secrets import SECRET
from daemon.console.redaction import redacted
from ensemble.options import Options

RULES: Mapping[str, str] = {
    "greater_than": "be above {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be below {lt}",
    "less_than_equal": "be at most {le}",
    "finite_number": "be finite",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
    "string_pattern_mismatch": "match {pattern}",
    "union_tag_invalid": "name a kind among {expected_tags}",
    "too_short": "hold {min_length} or more",
    "too_long": "hold {max_length} at most",
    "int": "be a whole number",
    "float": "be a number",
    "bool": "be true or false",
    "string": "be text in quotes",
    "path": "be a path in quotes",
    "tuple": "be a list in brackets",
    "dict": "be a table",
    "model": "be a table",
    "date": "be a date such as 2006-01-19",
    "time": 'be a time of day such as "08:45"',
}
"""What a value must do, by pydantic's name for the error or, failing that, by the name's first word."""

SHOWN_CHARACTERS = 60
WRONG_KEY = "[key]"
"""Pydantic's mark at the end of a place: not the value but the key itself is refused."""

Place = tuple[int | str, ...]
"""The way into the configuration as pydantic tells it: keys, indices of lists, tags of unions."""


def complain(
    error: ValidationError,
    model: type[Options],
    document: Mapping[str, Any],
    overrides: Mapping[Key, Override],
) -> str:
    """The first thing that `model` refuses in `document`, and how many more there are; one line."""
    first, *others = _independent(error.errors(include_url=False))
    place = first["loc"]
    name = _name(place, document)
    if place[-1:] == (WRONG_KEY,):
        sentence = f"unknown key {name}; {_rule(first)}"
    elif first["type"] == "extra_forbidden":
        sentence = f"unknown key {name}; {_suggestion(place, model)}"
    elif first["type"] == "missing":
        sentence = f"{name} is missing; add it."
    elif not place:
        sentence = _rule(first)
    elif isinstance(first["input"], str | bool | int | float | date | time) and not _is_secret(place, model):
        sentence = f"{name} was {_shown(first['input'])}{_origin(place, overrides)}; {_rule(first)}"
    else:
        sentence = f"{name}{_origin(place, overrides)}: {_rule(first)}"
    return sentence + (f" (and {len(others)} more)" if others else "")


def _is_secret(place: Place, model: type[Options]) -> bool:
    """The value is nobody else's business, not even when it is wrong."""
    path = [part for part in place if isinstance(part, str)]
    fields = [table.model_fields.get(path[-1]) for table in _tables_at(tuple(path[:-1]), model)]
    return any(field is not None and field.json_schema_extra == SECRET for field in fields)


def _independent(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the lists that are too short only because items of theirs were refused."""
    return [
        one
        for one in errors
        if one["type"] != "too_short" or not any(_is_inside(other["loc"], one["loc"]) for other in errors)
    ]


def _is_inside(place: Place, outer: Place) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _rule(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return _sentence(str(context["error"]))
    rule = RULES.get(kind) or RULES.get(kind.split("_")[0])
    if rule is None:
        return _sentence(error["msg"][:1].lower() + error["msg"][1:])
    figures = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return _sentence("it must " + rule.format(**figures))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?")) else f"{text}."


def _shown(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.10g}"
    text = redacted(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _origin(place: Place, overrides: Mapping[Key, Override]) -> str:
    """Where a value came from, if it was not the file."""
    setters = [override.variable for key, override in overrides.items() if place[: len(key)] == key]
    return f" in {setters[0]}" if setters else ""


def _name(place: Place, document: Mapping[str, Any]) -> str:
    """`ensemble.members[0].dropout`: the key as the file has it."""
    name = ""
    table: Any = document
    for depth, part in enumerate(place, start=1):
        if isinstance(part, int):
            name += f"[{part}]"
        elif part == WRONG_KEY or (depth < len(place) and part not in table):
            continue  # pydantic's own: its mark, or its tag for one kind of table among several
        else:
            name += f".{part}" if name else part
        table = table[part] if depth < len(place) else table
    return name


def _suggestion(place: Place, model: type[Options]) -> str:
    """The likely key of the same table, or the table that has a key of this name."""
    wrong = str(place[-1])
    siblings = {key for table in _tables_at(place[:-1], model) for key in table.model_fields}
    near = get_close_matches(wrong, siblings, n=1)
    elsewhere = [".".join(key) for key in leaf_keys(model) if key[-1] == wrong]
    if near or elsewhere:
        return f'did you mean "{(near or elsewhere)[0]}"?'
    return f"it must be one of {', '.join(sorted(siblings))}."


def _tables_at(place: Place, model: type[Options]) -> list[type[Options]]:
    tables = [model]
    for part in place:
        inner = [table.model_fields[part].annotation for table in tables if part in table.model_fields]
        # A list's index and a table's tag lead to no other tables.
        tables = [found for annotation in inner for found in _tables_in(annotation)] if inner else tables
    return tables


def _tables_in(annotation: Any) -> Iterator[type[Options]]:
    if isinstance(annotation, type) and issubclass(annotation, Options):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _tables_in(argument)

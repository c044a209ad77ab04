"""docs/configuration.md, made of the settings: `python -m tests.daemon.config.configuration_page` writes it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.config.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
HEAD = """# Configuration, key by key

Made of the settings themselves by `make docs`; a test compares. [config.toml](../config.toml) says the same with more
words, in the order in which one changes things. Every key has a default: a file holds what differs.

The daemon reads `--config PATH`, else `/etc/reliance-daemon/config.toml`, else `./config.toml`. A variable of the
environment goes before the file: `RELIANCE_DAEMON__RISK__STOP_LOSS_PCT=3` sets `risk.stop_loss_pct`. `config check`
finds mistakes, `config show` prints what is in force, and [SIGHUP](service.md) makes a running daemon read it again.
Relative folders start at the file's own. *none* stands for a key that is not set.
"""
Node = Mapping[str, Any]
MEMBERS = "one table `[[ensemble.members]]` for each: see the last section"


def page() -> str:
    """The whole page."""
    schema = Settings.model_json_schema()
    return "\n".join([HEAD, *_tables(schema, schema, ""), *_members(schema)]) + "\n"


def _tables(schema: Node, node: Node, within: str) -> Iterator[str]:
    """The tables in `node`, and those in them."""
    for name, field in node["properties"].items():
        table = _referred(schema, field)
        if table is None:
            continue
        path = f"{within}{name}"
        yield f"## [{path}]\n\n{_said(table)}".rstrip("\n") + "\n"
        yield from _rows(schema, table)
        yield from _tables(schema, table, f"{path}.")


def _said(table: Node) -> str:
    """Its description without its name, in one paragraph."""
    text = " ".join(table.get("description", "").split())
    said = re.sub(r"^The (table )?\[[\w.]+\]( table| of the configuration)[.:] ?", "", text)
    return f"{said[:1].upper()}{said[1:]}\n\n" if said else ""


def _rows(schema: Node, table: Node) -> Iterator[str]:
    keys = {name: field for name, field in table["properties"].items() if _referred(schema, field) is None}
    if not keys:
        return
    yield "| key | what it is | values | default |\n|---|---|---|---|"
    for name, field in keys.items():
        cells = (
            f"`{name}`",
            field.get("description", "what kind of member"),
            _values(schema, field),
            _default(name, field),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _values(schema: Node, field: Node) -> str:
    """As in "number, above 0, at most 50"."""
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    return " or ".join(dict.fromkeys(_kind(schema, one) for one in kinds))


def _kind(schema: Node, one: Node) -> str:
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    if "oneOf" in one or "$ref" in one:
        return "table"
    if one.get("type") == "array":
        items: Node = one.get("items") or {}
        return f"list of {_kind(schema, items)}" if items else "list"
    words = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`", "object": "table"}
    kind = str(one.get("type", "any"))
    name = str(one.get("format", words.get(kind, kind)))
    bounds = {
        "exclusiveMinimum": "above {}",
        "minimum": "from {}",
        "exclusiveMaximum": "below {}",
        "maximum": "at most {}",
    }
    told = [text.format(_number(one[key])) for key, text in bounds.items() if key in one]
    return ", ".join([name, *told])


def _number(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound}"


def _default(name: str, field: Node) -> str:
    if name == "members":
        presets = ", ".join(f"`{one['preset']}`" for one in field["default"])
        return f"{presets}; {MEMBERS}"
    value = field.get("default")
    if value is None:
        return "*none*" if "default" in field else "*must be given*"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _members(schema: Node) -> Iterator[str]:
    yield "## [[ensemble.members]]\n\nA `preset` fills in what is not given; `kind` says what the other keys are.\n"
    for name in ("LstmSpec", "LogitSpec", "TreesSpec"):
        spec = schema["$defs"][name]
        yield f'### kind = "{spec["properties"]["kind"]["const"]}"\n\n{_said(spec)}'.rstrip("\n") + "\n"
        yield from _rows(schema, spec)


def _referred(schema: Node, field: Node) -> Node | None:
    """The table that a field is, None for a value."""
    reference = field.get("$ref", "")
    found: Node = schema["$defs"].get(reference.rsplit("/", 1)[-1], {})
    return found if found.get("type") == "object" and "properties" in found else None


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""The page: one HTML file that needs no network and nothing beside it, and runs no script but its own.

Plotly's script is taken from its package as a file. The package itself is never imported: figures are plain values,
and what draws them is the reader's browser.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from daemon.errors import DaemonError
from daemon.report.material import Material, is_missed
from daemon.report.parts import Candles, Figure, Section

PACKAGE = "daemon.report"
TITLED = 3
"""Symbols that the title has room for."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above all sections."""

    title: str
    made_at: str
    span: str
    healthy: bool
    said: str
    """The one line to take away."""


def render(material: Material, sections: Sequence[Section]) -> str:
    """The page as text. Raises DaemonError where the package plotly is missing."""
    scripts = {"plotly": plotly_script(), "page": _text("report.js")}
    environment = Environment(
        loader=PackageLoader(PACKAGE, "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment.get_template("report.html").render(
        heading=_heading(material),
        sections=sections,
        figures=Markup(_json(_figures(sections))),
        style=Markup(_text("report.css")),
        scripts={name: Markup(script) for name, script in scripts.items()},
        policy=_policy(scripts.values()),
    )


@lru_cache(maxsize=1)
def plotly_script() -> str:
    """The minified library, as its package has it. Raises DaemonError where that is missing."""
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise DaemonError("the report needs the package plotly, which is missing; run pip install plotly.")


def _text(name: str) -> str:
    return (files(PACKAGE) / "page" / name).read_text(encoding="utf-8")


def _heading(material: Material) -> Heading:
    more = len(material.symbols) - TITLED
    acted = [f"{row['action']} {row['symbol']}" for row in material.signals if row["actionable"]]
    nothing = "decided too late to be traded" if any(map(is_missed, material.signals)) else "HOLD"
    session = material.signals[0]["session"] if material.signals else ""
    return Heading(
        title=", ".join(material.symbols[:TITLED]) + (f" and {more} more" if more > 0 else ""),
        made_at=f"{material.now:%Y-%m-%d %H:%M} UTC",
        span=f"{material.span.first} to {material.span.last}",
        healthy=material.health.healthy,
        said=f"For {session}: {', '.join(acted) or nothing}" if session else "Nothing is decided yet",
    )


def _figures(sections: Sequence[Section]) -> dict[str, Figure]:
    """Key -> figure; of a candlestick view one a choice."""
    found: dict[str, Figure] = {}
    for chart in (chart for section in sections for chart in section.charts):
        if isinstance(chart, Candles):
            found |= {f"{chart.key}-{choice.key}": choice.figure for choice in chart.choices}
        else:
            found[chart.key] = chart.figure
    return found


def _prose(text: str) -> Markup:
    """The text escaped, and what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _json(value: Any) -> str:
    """JSON that nothing in it can end early: no character that HTML gives a meaning."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(scripts: Any) -> str:
    """The Content-Security-Policy: these scripts and no other, no connection anywhere.

    Styles may be inline, because Plotly places its labels by them.
    """
    sums = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {sums}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )

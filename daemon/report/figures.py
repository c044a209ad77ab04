"""What the figures have in common. They are plain values, so that nothing here needs the library that draws them.

A colour is a name such as "$up": the page has it twice, for light and dark. "@name" stands for an array of `shared`.
"""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from daemon.report.parts import Figure

Trace = Mapping[str, Any]
UP, DOWN, INK, MUTED, LINE = "$up", "$down", "$ink", "$muted", "$line"
SERIES = ("$first", "$second", "$third", "$fourth", "$fifth", "$sixth")
"""Told apart by those who see no red or green too: Okabe and Ito (2008)."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis as all of them look."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": LINE,
        "linecolor": LINE,
        "zerolinecolor": LINE,
        "automargin": True,
        "fixedrange": True,
    } | more


def layout(**more: Any) -> dict[str, Any]:
    """A layout as all of them are."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 13},
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        "hoverlabel": {"bgcolor": "$card", "bordercolor": LINE, "font": {"color": INK}},
        "hovermode": "closest",
        "dragmode": False,
    } | more


def figure(traces: Iterable[Trace], shape: Mapping[str, Any], **shared: list[Any]) -> Figure:
    """Traces and layout together."""
    return {"data": list(traces), "layout": dict(shape), "shared": shared}


def name(text: str) -> str:
    """A name from elsewhere, such as a member's: Plotly would read its tags."""
    return escape(text, quote=False)


def rounded(values: Iterable[float | None], digits: int) -> list[float | None]:
    """For JSON: no more digits than can be seen, and null where there is no number."""
    return [None if one is None or not math.isfinite(one) else round(one, digits) for one in values]

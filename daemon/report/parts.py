"""What a page is made of: sections, and in them charts, tables and lines. Plain values, which a template lays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Whose = Literal["live", "backtest", ""]
Figure = Mapping[str, Any]
"""A figure of Plotly as plain values: data, layout, and `shared` arrays that "@name" stands for."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first `texts` columns are words, the others numbers."""

    kind = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, the sentence that stands for it where it cannot be seen, and its numbers as a table."""

    kind = "chart"
    key: str
    """Its name in the page, of letters and hyphens."""
    says: str
    figure: Figure
    data: Table
    height_px: int = 340


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several figures that share a place."""

    key: str
    name: str
    figure: Figure
    data: Table


@dataclass(frozen=True, slots=True)
class Candles:
    """Candlestick figures of which one at a time is shown, with buttons for its range."""

    kind = "candles"
    key: str
    says: str
    choices: tuple[Choice, ...]
    height_px: int = 620


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence."""

    kind = "line"
    text: str
    tone: Literal["", "good", "bad", "quiet"] = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value, with what has to stand beside it."""

    name: str
    value: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One decision: what to do, and why."""

    kind = "card"
    title: str
    word: str
    """The one thing to take away, such as BUY."""
    facts: tuple[Fact, ...]
    sentences: tuple[str, ...]


Part = Table | Chart | Candles | Line | Card


@dataclass(frozen=True, slots=True)
class Section:
    """One question that the report answers."""

    key: str
    title: str
    meaning: str
    """What it shows, in a sentence for somebody who has never met the tool."""
    short: str
    """Its name among the links at the top."""
    parts: tuple[Part, ...]
    whose: Whose = ""
    """Whose forecasts or account it is about; live and backtest never stand in one section."""

    @property
    def charts(self) -> tuple[Chart | Candles, ...]:
        """Its figures."""
        return tuple(part for part in self.parts if isinstance(part, Chart | Candles))

"""The candlestick view: bars, what was forecast, what was done, where it would have ended, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from daemon.report.cells import percent
from daemon.report.figures import DOWN, INK, MUTED, UP, Trace, axis, figure, layout, rounded
from daemon.report.held import Held, held_positions
from daemon.report.material import Material
from daemon.report.parts import Candles, Choice, Figure, Line, Part, Section, Table
from daemon.report.record import Record
from daemon.report.words import EXITS, QUESTIONS
from ensemble.counted import counted
from ensemble.fills import ExitReason

MOST_BARS = 12_000
"""Over all figures: about 80 bytes each, so that the file stays far under 6 MB."""
EXIT_SYMBOLS = {
    ExitReason.STOP: "x",
    ExitReason.TARGET: "star",
    ExitReason.TIME: "square",
    ExitReason.SIGNAL: "diamond",
}
ROWS_SHOWN = 60
"""Of the table beside the figure, the newest."""


@dataclass(frozen=True, slots=True)
class _View:
    """One symbol as one origin saw it."""

    bars: pd.DataFrame
    forecasts: pd.DataFrame
    """Of the traded label: index session, columns probability and outcome."""
    held: Sequence[Held]
    sessions: pd.DatetimeIndex
    """Of bars and forecasts, in order; the newest forecast has no bar yet."""
    done: Mapping[date, Sequence[str]]
    """Session -> what was entered and left."""

    @property
    def ends(self) -> tuple[date, date]:
        """The first session in sight, and the last."""
        return self.sessions[0].date(), self.sessions[-1].date()


def candles(material: Material) -> Section:
    """One figure a symbol and origin that has anything to show, as many as the file has room for."""
    views = {
        (symbol, record.origin): _view(material, record, symbol)
        for symbol in material.symbols
        for record in material.records
        if len(material.bars[symbol]) and (record.origin == "live" or not record.is_empty)
    }
    taken: dict[tuple[str, str], _View] = {}
    room = MOST_BARS
    for key, view in views.items():
        room -= len(view.bars)
        if room >= 0 or not taken:
            taken[key] = view
    return Section(
        key="candles",
        title="The bars, and what was made of them",
        meaning="Each candle is a session; the strip below it holds the forecast made before it opened, filled where "
        "it came true and hatched where it did not.",
        short="Candles",
        parts=tuple(_parts(material, taken, left_out=len(views) - len(taken))),
    )


def _parts(material: Material, views: Mapping[tuple[str, str], _View], *, left_out: int) -> Iterator[Part]:
    if not views:
        yield Line("There are no bars of these sessions; `reliance-daemon run-once` or `backfill` reads them.", "quiet")
        return
    question = QUESTIONS[material.settings.signals.label]
    choices = tuple(
        Choice(f"{place}", f"{symbol}, {origin}", _figure(view, question), _table(view))
        for place, ((symbol, origin), view) in enumerate(views.items())
    )
    says = (
        f"Candlestick chart of {', '.join(dict.fromkeys(symbol for symbol, _ in views))} with entries, exits, stops "
        f'and targets; below it the probability of "{question}" and the volume.'
    )
    yield Candles("candles", says, choices)
    if left_out:
        more = counted(left_out, "more figure")
        yield Line(f"{more} would make the file too large; `report --symbol SYMBOL` has each.", "quiet")


def _view(material: Material, record: Record, symbol: str) -> _View:
    said = record.said
    own = said[(said["symbol"] == symbol) & (said["label"] == material.settings.signals.label)]
    forecasts = own.set_index("session")[["probability", "outcome"]]
    bars, held = material.bars[symbol], tuple(held_positions(material, record, symbol))
    done: dict[date, list[str]] = {}
    for one in held:
        done.setdefault(one.first, []).append(one.entry_text)
        if one.exit_text:
            done.setdefault(one.last, []).append(one.exit_text)
    return _View(bars, forecasts, held, pd.DatetimeIndex(bars.index.union(forecasts.index)), done)


def _figure(view: _View, question: str) -> Figure:
    sessions, bars = view.sessions, view.bars.reindex(view.sessions)
    shared: dict[str, list[Any]] = {"x": [f"{one:%Y-%m-%d}" for one in sessions]}
    shared |= {name: rounded(bars[name], 2) for name in ("open", "high", "low", "close")}
    shared |= {
        "volume": rounded(bars["volume"], 0),
        "done": ["<br>".join(view.done.get(session, ())) for session in sessions.date],
    }
    traces = [_candles(), *_levels(view), *_marks(view), *_strip(view, question), _volume()]
    shape = layout(
        xaxis=axis(
            type="category", anchor="y3", nticks=6, tickangle=0, fixedrange=False, rangeslider={"visible": False}
        ),
        yaxis=axis("price", domain=[0.44, 1]),
        yaxis2=axis("chance, %", domain=[0.18, 0.38]),
        yaxis3=axis("volume", domain=[0, 0.13], nticks=3),
        bargap=0.25,
        barmode="overlay",
        hovermode="x unified",
        hoversubplots="axis",
    )
    return figure(traces, shape, **shared)


def _candles() -> Trace:
    prices = {name: f"@{name}" for name in ("open", "high", "low", "close")}
    ends = {
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": "$card"},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
    }
    same = {"type": "candlestick", "x": "@x", "text": "@done", "name": "", "showlegend": False}
    return same | prices | ends


def _levels(view: _View) -> Iterator[Trace]:
    """Stops and targets, each a line from entry to exit, as far as it lies in sight."""
    begin, end = view.ends
    for name, color, dash in (("stop", DOWN, "dot"), ("target", UP, "dash")):
        x: list[str | None] = []
        y: list[float | None] = []
        for one in view.held:
            level = one.stop_price if name == "stop" else one.target_price
            first, last = max(one.first, begin), min(one.last, end)
            if level is not None and first <= last:
                x += [f"{first}", f"{last}", None]
                y += [round(level, 2), round(level, 2), None]
        if x:
            yield {
                "type": "scatter",
                "mode": "lines+markers",  # within one session the line has no length
                "name": name,
                "x": x,
                "y": y,
                "line": {"color": color, "dash": dash, "width": 1.8},
                "marker": {"size": 3, "color": color},
                "hoverinfo": "skip",
            }


def _marks(view: _View) -> Iterator[Trace]:
    """Where positions were entered and left, by why."""
    begin, _ = view.ends
    entered = [(one.first, one.entry_price) for one in view.held if begin <= one.first]
    if entered:
        yield _marked("entry", entered, {"symbol": "triangle-right", "color": "$third", "size": 11})
    for reason, symbol in EXIT_SYMBOLS.items():
        left = [(one.last, one.exit_price) for one in view.held if one.exit_reason is reason]
        if left:
            yield _marked(f"exit: {EXITS[reason]}", left, {"symbol": symbol, "color": INK, "size": 10})


def _marked(name: str, places: Sequence[tuple[date, float | None]], marker: Mapping[str, Any]) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [f"{session}" for session, _ in places],
        "y": rounded((price for _, price in places), 2),
        "hoverinfo": "skip",  # the bar tells it: a mark would answer for its neighbours too
        "marker": {**marker, "line": {"color": "$card", "width": 1}},
    }


def _strip(view: _View, question: str) -> Iterator[Trace]:
    """Bars from one half to the probability, by what came of it."""
    probability, outcome = (view.forecasts[name].to_numpy(np.float64) for name in ("probability", "outcome"))
    right = (probability > 0.5) == (outcome > 0.5)
    known, hatched = np.isfinite(outcome), {"shape": "/", "solidity": 0.45, "bgcolor": "$card", "fgcolor": DOWN}
    groups = {
        "came true": (known & right, {"color": UP}),
        "did not": (known & ~right, {"color": DOWN, "pattern": hatched}),
        "not known yet": (~known, {"color": MUTED}),
    }
    days = [f"{one:%Y-%m-%d}" for one in pd.DatetimeIndex(view.forecasts.index)]
    for name, (rows, marker) in groups.items():
        at = np.flatnonzero(rows)
        if len(at):
            yield {
                "type": "bar",
                "name": name,
                "x": [days[place] for place in at],
                "y": rounded(100 * (probability[at] - 0.5), 2),
                "base": 50,
                "yaxis": "y2",
                "marker": marker,
                "customdata": rounded(100 * probability[at], 1),
                "hovertemplate": f"{question} %{{customdata}} %: {name}<extra></extra>",
            }


def _volume() -> Trace:
    hover = "volume %{y:,.0f}<extra></extra>"
    same = {"type": "bar", "x": "@x", "y": "@volume", "yaxis": "y3", "name": "volume", "showlegend": False}
    return same | {"marker": {"color": MUTED}, "hovertemplate": hover}


def _table(view: _View) -> Table:
    newest = view.sessions[::-1][:ROWS_SHOWN]
    return Table(
        caption=f"The newest {len(newest)} sessions",
        columns=("session", "done", "open", "high", "low", "close", "volume", "probability", "came true"),
        rows=tuple(_row(view, session) for session in newest),
        texts=2,
    )


def _row(view: _View, session: pd.Timestamp) -> tuple[str, ...]:
    bar = dict(view.bars.loc[session]) if session in view.bars.index else {}
    prices = (_known(bar.get(name), ",.2f") for name in ("open", "high", "low", "close"))
    said = dict(view.forecasts.loc[session]) if session in view.forecasts.index else {}
    chance, outcome = (said.get(name, np.nan) for name in ("probability", "outcome"))
    came = "-" if np.isnan(outcome) else "yes" if outcome > 0.5 else "no"
    done = "; ".join(view.done.get(session.date(), ()))
    return (f"{session:%Y-%m-%d}", done, *prices, _known(bar.get("volume"), ",.0f"), percent(chance), came)


def _known(value: float | None, form: str) -> str:
    """A dash for what no bar tells."""
    return "-" if value is None or np.isnan(value) else f"{value:{form}}"

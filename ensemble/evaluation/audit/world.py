"""One market seen through one pipeline, worked out once; and where two worlds differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ensemble.arrays import Mask, Reals
from ensemble.evaluation.audit.learners import NotingLearners
from ensemble.evaluation.audit.pipeline import Forecasts, Pipeline
from ensemble.evaluation.scored import Scored
from ensemble.features.matrix import Market
from ensemble.labels import LABELS, label_horizon
from ensemble.model import EnsembleOptions
from ensemble.panel import Panel
from ensemble.windows import WindowError, months_before


@dataclass(frozen=True)
class World:
    """A market, and lazily its panel and what the pipeline says about `months`."""

    pipeline: Pipeline
    options: EnsembleOptions
    months: tuple[str, ...]
    """Tested one after the other, each by its own model."""
    market: Market
    dressed: Panel | None = None
    """A panel to take in place of the pipeline's own."""

    @cached_property
    def learners(self) -> NotingLearners:
        """Who learns in this world, with notes of what they made."""
        return NotingLearners(self.options.stack)

    @cached_property
    def panel(self) -> Panel:
        """Features and labels."""
        return self.dressed or self.pipeline.panel(self.market)

    @cached_property
    def said(self) -> Forecasts:
        """What is forecast for `months`."""
        return self.pipeline.walk(self.market, self.panel, self.months, self.learners)

    def of(self, market: Market) -> "World":
        """The same pipeline in another market."""
        return replace(self, market=market, dressed=None)

    def with_panel(self, panel: Panel) -> "World":
        """The same market, its panel replaced."""
        return replace(self, dressed=panel)


def last_months(panel: Panel, options: EnsembleOptions, count: int) -> tuple[str, ...]:
    """The `count` months up to the last session with a known label. Raises WindowError when history is too short."""
    known = np.flatnonzero(np.isfinite(panel.labels).any(axis=(0, 2)))
    if len(known) == 0:
        raise WindowError("no symbol has a bar; read some with `reliance-daemon run-once`.")
    last = f"{panel.sessions[known[-1]]:%Y-%m}"
    months = (*months_before(last, count - 1), last)
    options.fold(panel.sessions, months[0])
    return months


def panel_difference(before: Panel, after: Panel, sessions: pd.DatetimeIndex, *, within: float = 0.0) -> str:
    """Which features of `sessions` differ by more than `within`, as one clause; empty where none does."""
    if before.features != after.features or before.symbols != after.symbols:
        return "the panel has other columns or symbols"
    one, two = (side.values[:, side.sessions.get_indexer(sessions)] for side in (before, after))
    differs = ~_equal(one, two, within)
    if not differs.any():
        return ""
    columns = np.flatnonzero(differs.any(axis=(0, 1)))
    symbol, row = (int(place[0]) for place in np.nonzero(differs[:, :, columns[0]]))
    was, became = one[symbol, row, columns[0]], two[symbol, row, columns[0]]
    return (
        f"{len(columns)} of {len(before.features)} features changed, first {before.features[columns[0]]} of "
        f"{before.symbols[symbol]} on {sessions[row]:%Y-%m-%d} ({was:.6g} became {became:.6g})"
    )


def said_difference(before: World, after: World, sessions: pd.DatetimeIndex, *, within: float = 0.0) -> str:
    """Which probabilities of `sessions` differ by more than `within`, as one clause; empty where none does."""
    one, two = (_probability(world, sessions) for world in (before, after))
    differs = ~_equal(one, two, within)
    if not differs.any():
        return ""
    symbol, row, label = (int(place[0]) for place in np.nonzero(differs))
    return (
        f"{int(differs.sum())} of {differs.size} probabilities changed, first {LABELS[label]} of "
        f"{before.panel.symbols[symbol]} on {sessions[row]:%Y-%m-%d} "
        f"({one[symbol, row, label]:.6f} became {two[symbol, row, label]:.6f})"
    )


def forecast_sessions(world: World) -> pd.DatetimeIndex:
    """The sessions that `world.said` is about."""
    return world.panel.sessions[world.said.rows]


def scored_world(world: World) -> Mapping[str, Scored]:
    """Label -> what was said about it and what came of it."""
    rows, limits = world.said.rows, world.market.limits
    outcomes = world.panel.labels[:, rows].astype(np.float64)
    return {
        label: Scored(
            label,
            world.panel.sessions[rows],
            world.panel.symbols,
            world.said.probability[..., column],
            outcomes[..., column],
            label_horizon(label, limits) + 1,
        )
        for column, label in enumerate(LABELS)
    }


def joined(clauses: Sequence[str]) -> str:
    """The clauses that say something, in one line."""
    return "; ".join(clause for clause in clauses if clause)


def _probability(world: World, sessions: pd.DatetimeIndex) -> Reals:
    return world.said.probability[:, forecast_sessions(world).get_indexer(sessions)]


def _equal(one: Reals, two: Reals, within: float) -> Mask:
    return np.isclose(one, two, rtol=0.0, atol=within, equal_nan=True)

"""Do the features still look as they did when a version was trained? The population stability index, beside its past.

An index above 0.25 is said to be a shift, of independent rows. Rows of neighbouring sessions are alike, so that of a
month of them is always far larger: what it was in each such block of the training window itself is kept beside it.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers, Singles

BINS = 10
"""Equal shares of the training window; what is missing has a bin of its own."""
BLOCK_SESSIONS = 30
"""A live desk has at least so many rows at hand."""


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """How the features were distributed in a training window, all stocks together."""

    edges: Floats
    """(n_features, BINS - 1), rising; NaN where a feature was never known."""
    shares: Floats
    """(n_features, BINS + 1): of the bins, then of what was missing."""
    usual: Floats
    """(n_blocks,): the mean index over features of each block of the window, oldest first."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """A block of sessions beside the window."""

    index: float
    """Mean over features."""
    most_usual: float
    """The largest that a block of the window had."""
    furthest: tuple[int, ...]
    """The three features that moved most, by their place, the furthest first."""

    @property
    def is_unusual(self) -> bool:
        """Further from the window than any of its own blocks."""
        return self.index > self.most_usual


def shape_of(values: Singles) -> FeatureShape:
    """Of the training window, (n_symbols, n_rows, n_features)."""
    rows = values.shape[1]
    columns = values.reshape(-1, values.shape[2]).T
    edges = np.array([_edges(column) for column in columns])
    place = np.array([_places(column, cuts) for column, cuts in zip(columns, edges, strict=True)])
    place = place.reshape(len(columns), values.shape[0], rows)
    shares = _shares(place.reshape(len(columns), -1))
    starts = range(rows % BLOCK_SESSIONS, rows, BLOCK_SESSIONS)
    blocks = (place[:, :, start : start + BLOCK_SESSIONS].reshape(len(columns), -1) for start in starts)
    usual = [float(_index(_shares(block), shares).mean()) for block in blocks]
    return FeatureShape(edges, shares, np.array(usual))


def drift_of(values: Singles, shape: FeatureShape) -> FeatureDrift:
    """Of the newest BLOCK_SESSIONS rows of `values`, (n_symbols, n_rows, n_features)."""
    columns = values[:, -BLOCK_SESSIONS:].reshape(-1, values.shape[2]).T
    place = np.array([_places(column, cuts) for column, cuts in zip(columns, shape.edges, strict=True)])
    index = _index(_shares(place), shape.shares)
    furthest = tuple(int(one) for one in np.argsort(-index, kind="stable")[:3])
    return FeatureDrift(float(index.mean()), float(shape.usual.max(initial=0.0)), furthest)


def _edges(column: Singles) -> Floats:
    known = column[np.isfinite(column)].astype(np.float64)
    if not len(known):
        return np.full(BINS - 1, np.nan)
    return np.asarray(np.quantile(known, np.arange(1, BINS) / BINS))


def _places(column: Singles, edges: Floats) -> Integers:
    """The bin of each value; the last one of what is missing."""
    places = np.searchsorted(edges, column.astype(np.float64), side="left")
    return np.where(np.isfinite(column), places, BINS).astype(np.int64)


def _shares(places: Integers) -> Floats:
    """(n_features, BINS + 1); half a row is added to each bin, so that none is empty."""
    counts = np.array([np.bincount(row, minlength=BINS + 1) for row in places])
    return np.asarray((counts + 0.5) / (places.shape[1] + 0.5 * (BINS + 1)))


def _index(shares: Floats, expected: Floats) -> Floats:
    """The population stability index of each feature: the symmetric divergence of Kullback and Leibler (1951)."""
    return np.asarray(((shares - expected) * np.log(shares / expected)).sum(axis=1))

"""LightGBM, for the member on the features and for the stack: the only file that imports it, and only to grow."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.arrays import Floats, Integers, Mask

if TYPE_CHECKING:
    from types import ModuleType

NOT_NEEDED = ("sklearn", "matplotlib", "dask", "dask.distributed", "pyarrow", "polars")
MISSING_IS_NAN = 2
LIGHTGBM_ZERO = float(np.float32(1e-35))
"""LightGBM takes anything as small as this for 0."""
FIXED = {
    "objective": "binary",
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to learn from."""

    features: Floats
    """(n, n_features), NaN unknown."""
    outcomes: Floats
    """(n,) of 0 and 1."""
    start: Floats
    """(n,): the log-odds to improve on."""


def grow(table: Table, parameters: Mapping[str, Any], *, rounds: int, seed: int) -> str:
    """What to add to `table.start`, as the text of a LightGBM model; equal arguments give equal text."""
    lightgbm = _library()
    data = lightgbm.Dataset(table.features, table.outcomes, init_score=table.start)
    settings = FIXED | {"seed": seed, "boost_from_average": False} | dict(parameters)
    return str(lightgbm.train(settings, data, num_boost_round=rounds).model_to_string())


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree by nodes; a child below 0 is leaf ~child."""

    feature: Integers
    threshold: Floats
    default_left: Mask
    """Where an unknown value goes, if the tree has seen some."""
    knows_unknown: Mask
    children: Integers
    """(n_nodes, 2): left and right."""
    leaves: Floats

    def added(self, features: Floats) -> Floats:
        row = np.arange(len(features))
        node = np.full(len(features), 0 if len(self.feature) else -1)
        while (node >= 0).any():
            place = np.maximum(node, 0)
            value = features[row, self.feature[place]]
            unknown = np.isnan(value)
            left = np.where(unknown, 0.0, value) <= self.threshold[place]
            left = np.where(unknown & self.knows_unknown[place], self.default_left[place], left)
            node = np.where(node >= 0, self.children[place, np.where(left, 0, 1)], node)
        chosen: Floats = self.leaves[~node]
        return chosen


class Trees:
    """A grown model, read from LightGBM's text format, version 4; it forecasts without LightGBM.

    Loading the library takes a fifth of the time that a whole session may. Raises ValueError when the text is no
    such model, or splits on categories.
    """

    def __init__(self, text: str) -> None:
        head, *blocks = text.split("\nTree=")
        if "\nversion=v4" not in head:
            raise ValueError("the text is no LightGBM model of format v4; retrain with this version.")
        self._trees = [_parsed(block) for block in blocks]

    def added(self, features: Floats) -> Floats:
        """What the model adds to the starting log-odds, shape (n,), to the bit what LightGBM's raw scores are."""
        exact = np.where(np.abs(features) <= LIGHTGBM_ZERO, 0.0, features)
        total = np.zeros(len(features))
        for tree in self._trees:
            total += tree.added(exact)
        return total


def _parsed(block: str) -> _Tree:
    lines = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    if int(lines["num_cat"]):
        raise ValueError("a LightGBM model with categorical splits cannot be read; features are numbers here.")
    if int(lines["num_leaves"]) == 1:
        none = np.zeros(0, dtype=np.int64)
        return _Tree(none, _numbers(""), none > 0, none > 0, none.reshape(0, 2), _numbers(lines["leaf_value"]))
    kind = _numbers(lines["decision_type"]).astype(np.int64)  # bit 1: unknown goes left; bits 2 and 3: what is unknown
    children = np.column_stack([_numbers(lines["left_child"]), _numbers(lines["right_child"])]).astype(np.int64)
    return _Tree(
        feature=_numbers(lines["split_feature"]).astype(np.int64),
        threshold=_numbers(lines["threshold"]),
        default_left=(kind & 2) > 0,
        knows_unknown=(kind >> 2 & 3) == MISSING_IS_NAN,
        children=children,
        leaves=_numbers(lines["leaf_value"]),
    )


def _numbers(text: str) -> Floats:
    return np.array(text.split(), dtype=np.float64)


def _library() -> "ModuleType":
    with _hidden(NOT_NEEDED):
        import lightgbm
    return lightgbm


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Imports of `names` fail inside: LightGBM's wrappers would load scikit-learn, 1.7 s and 60 MB for nothing."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None makes an import fail, as documented
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)

"""LightGBM, for the member on the features and for the stack. The only file that imports it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.arrays import Floats

if TYPE_CHECKING:
    from types import ModuleType

NOT_NEEDED = ("sklearn", "matplotlib", "dask", "dask.distributed", "pyarrow", "polars")
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


class Trees:
    """A grown model, loaded from its text. Raises ValueError when the text is none."""

    def __init__(self, text: str) -> None:
        lightgbm = _library()
        try:
            self._booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"the text of a LightGBM model could not be read: {error}") from error

    def added(self, features: Floats) -> Floats:
        """What the model adds to the starting log-odds, shape (n,)."""
        return np.asarray(self._booster.predict(features, raw_score=True, num_threads=1), dtype=np.float64)


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

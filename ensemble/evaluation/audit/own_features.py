"""Features of one's own, put beside the program's in the panel, so that the audit looks at them too."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.features.matrix import DECIMALS, Market
from ensemble.panel import Panel

OwnFeatures = Callable[[Market], Mapping[str, NDArray[Any]]]
"""Name -> values as known at each session's decision: (n_symbols, n_sessions), in the order of `market.bars` and of
`market.calendar.sessions`; NaN is unknown."""


class OwnFeatureError(ValueError):
    """What a function of one's own gave is no feature."""


def with_own_features(panel: Panel, market: Market, own: OwnFeatures) -> Panel:
    """The panel with the columns that `own` makes of the market. Raises OwnFeatureError."""
    columns = {name: _checked(name, values, panel, market) for name, values in own(market).items()}
    doubled = sorted(set(columns) & set(panel.features))
    if doubled:
        raise OwnFeatureError(f"own feature {doubled[0]!r} has the name of one that there is; choose another name.")
    first = len(market.calendar.sessions) - len(panel.sessions)
    added = [np.round(values[:, first:, None], DECIMALS).astype(np.float32) for values in columns.values()]
    return Panel(
        panel.symbols,
        panel.sessions,
        (*panel.features, *columns),
        np.concatenate([panel.values, *added], axis=2),
        panel.labels,
        panel.bar_age,
    )


def _checked(name: str, values: NDArray[Any], panel: Panel, market: Market) -> NDArray[np.float64]:
    expected = (len(panel.symbols), len(market.calendar.sessions))
    array = np.asarray(values, dtype=np.float64)
    if array.shape != expected:
        raise OwnFeatureError(
            f"own feature {name!r} had the shape {array.shape}; it must be {expected}, symbols by sessions."
        )
    return np.where(np.isfinite(array), array, np.nan)

"""What a trained member is: something that turns a panel into log-odds, and back into files."""

import io
import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Floats
from ensemble.members.scaling import Scaler
from ensemble.panel import Panel

Files = Mapping[str, bytes]
"""A trained member at rest: file name -> content. Arrays as .npz, trees as text, the rest JSON; nothing executable."""


class FittedMember(Protocol):
    """A trained member. It needs no training library to forecast."""

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        """log(p / (1 - p)) of each label being 1, shape (n_symbols, n_rows, n_labels)."""
        ...

    def files(self) -> Files:
        """Its content at rest; `load_member` reads it back."""
        ...


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as one .npz; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.asarray(arrays[name]) for name in sorted(arrays)})
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, Floats]:
    """The arrays of one .npz as float64. Raises ValueError when the content is no such file or would need pickle."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name].astype(np.float64) for name in archive.files}


def pack_settings(settings: Mapping[str, Any]) -> bytes:
    """Sorted JSON."""
    return json.dumps(settings, sort_keys=True, indent=1).encode()


def scaler_arrays(scaler: Scaler) -> dict[str, Floats]:
    """The scaler under the names that `scaler_of` reads."""
    return {"scaler_mean": scaler.mean, "scaler_deviation": scaler.deviation}


def scaler_of(arrays: Mapping[str, Floats]) -> Scaler:
    """The scaler stored by `scaler_arrays`."""
    return Scaler(arrays["scaler_mean"], arrays["scaler_deviation"])

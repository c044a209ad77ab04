"""Names for the array types that cross module borders."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]
"""Of either precision: what learns in float32 forecasts in float64."""
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

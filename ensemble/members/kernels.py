"""The innermost loops of training, compiled: one pass over the memory where NumPy takes ten. The only Numba importer.

A forecast does without them, so that the daemon never loads a compiler. They are compiled once and kept beside the
byte code, or, where nothing can be written there, by each process anew, which takes two seconds.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as nb
import numpy as np

from ensemble.arrays import Reals

Kernel = TypeVar("Kernel", bound=Callable[..., None])

SINGLE, DOUBLE = nb.float32, nb.float64
HALF, ONE = np.float32(0.5), np.float32(1)
NEW_IN_MEAN, NEW_IN_SQUARE, EPSILON = np.float32(0.1), np.float32(0.001), np.float32(1e-7)
TANH_IS_ONE_FROM = np.float32(7.90531110763549805)
TANH_ABOVE = tuple(
    np.float32(one)
    for one in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
TANH_BELOW = tuple(
    np.float32(one) for one in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
)
"""Highest power first: x times the upper polynomial of x squared, over the lower one; Eigen's, right within 3e-7."""


def _compiled(*signatures: Any) -> Callable[[Kernel], Kernel]:
    """Compiled for `signatures`. A product and a sum may be fused, which vectors of any length round alike."""

    def compile_it(kernel: Kernel) -> Kernel:
        options: dict[str, Any] = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}
        try:
            return cast(Kernel, nb.njit(list(signatures), cache=True, **options)(kernel))
        except RuntimeError:  # no folder to keep it in
            return cast(Kernel, nb.njit(list(signatures), **options)(kernel))

    return compile_it


@nb.njit(inline="always")
def _tanh(x: Any) -> Any:
    x = TANH_IS_ONE_FROM if x > TANH_IS_ONE_FROM else x
    x = -TANH_IS_ONE_FROM if x < -TANH_IS_ONE_FROM else x  # not min and max, which would hide NaN
    square = x * x
    above = TANH_ABOVE[0]
    for factor in TANH_ABOVE[1:]:
        above = above * square + factor
    below = TANH_BELOW[0]
    for factor in TANH_BELOW[1:]:
        below = below * square + factor
    return x * above / below


_ROWS, _ROW = SINGLE[:, ::1], SINGLE[::1]


@_compiled(nb.void(_ROWS, _ROWS, _ROW, _ROWS, _ROWS, _ROWS, _ROWS))
def open_gates(  # noqa: PLR0913 - Numba takes arrays fast and records slowly
    gates: Reals, recalled: Reals, bias: Reals, before: Reals, cell: Reals, squashed: Reals, state: Reals
) -> None:
    """As `recurrence.open_gates`, in float32."""
    count, units = before.shape
    for row in range(count):
        opened, added = gates[row, : 3 * units], gates[row, 3 * units :]
        more, bend = recalled[row], bias
        for at in range(3 * units):
            opened[at] = HALF * _tanh(opened[at] + more[at] + bend[at]) + HALF
        more, bend = recalled[row, 3 * units :], bias[3 * units :]
        for at in range(units):
            added[at] = _tanh(added[at] + more[at] + bend[at])
        forget, output = opened[units : 2 * units], opened[2 * units :]
        new, old, flat, out = cell[row], before[row], squashed[row], state[row]
        for at in range(units):
            new[at] = forget[at] * old[at] + opened[at] * added[at]
        for at in range(units):
            flat[at] = _tanh(new[at])
        for at in range(units):
            out[at] = output[at] * flat[at]


def _slopes(of: Any) -> Any:
    rows = of[:, ::1]
    return nb.void(rows, rows, rows, of[:, :], rows, rows, of[::1])


@_compiled(_slopes(SINGLE), _slopes(DOUBLE))
def gate_slopes(  # noqa: PLR0913 - as above
    gates: Reals, squashed: Reals, before: Reals, by_output: Reals, by_state: Reals, by_cell: Reals, by_bias: Reals
) -> None:
    """Turns one step's opened `gates` (n, 4 units) into the slopes of the loss by them before they opened, in place.

    `squashed` is the tanh of the cells, `before` the cells of the step before, `by_output` the slopes by the step's
    output. Slopes by its state from the step after come in `by_state`; those by its cells come in `by_cell`, which
    leaves with those by the cells of the step before. All (n, units) but `gates`.
    """
    count, units = squashed.shape
    for row in range(count):
        opened, forget = gates[row, :units], gates[row, units : 2 * units]
        output, added = gates[row, 2 * units : 3 * units], gates[row, 3 * units :]
        state, cell, flat, old, more = by_state[row], by_cell[row], squashed[row], before[row], by_output[row]
        for at in range(units):
            state[at] += more[at]
        for at in range(units):
            cell[at] += state[at] * output[at] * (ONE - flat[at] * flat[at])
        for at in range(units):
            output[at] = state[at] * flat[at] * output[at] * (ONE - output[at])
        for at in range(units):
            share, fresh = opened[at], added[at]
            opened[at] = cell[at] * fresh * share * (ONE - share)
            added[at] = cell[at] * share * (ONE - fresh * fresh)
        for at in range(units):
            kept = forget[at]
            forget[at] = cell[at] * old[at] * kept * (ONE - kept)
            cell[at] *= kept
        found = gates[row]
        for at in range(4 * units):
            by_bias[at] += found[at]


@_compiled(nb.void(_ROW, _ROW, _ROW, _ROW, SINGLE, SINGLE, SINGLE))
def move_weights(  # noqa: PLR0913 - as above
    weights: Reals, mean: Reals, square: Reals, slope: Reals, share: float, rate: float, grown: float
) -> None:
    """One move of Adam, in place, along `share` of `slope`: all (n,).

    `rate` is the step size over one less the first moment's decay to the power of the moves so far, `grown` one less
    the second's. Kingma and Ba (2015), algorithm 1.
    """
    for at in range(weights.size):
        pull = share * slope[at]
        mean[at] += NEW_IN_MEAN * (pull - mean[at])
        square[at] += NEW_IN_SQUARE * (pull * pull - square[at])
        weights[at] -= rate * mean[at] / (np.sqrt(square[at] / grown) + EPSILON)


_CUBE = SINGLE[:, :, ::1]


@_compiled(nb.void(_CUBE, _CUBE, _ROWS, SINGLE))
def disturb(noise: Reals, inputs: Reals, kept: Reals, width: float) -> None:
    """Turns `noise`, uniform from 0 to 1, into disturbed `inputs`, (n_steps, n, n_features) both.

    Each gets noise as wide as `width`, then is multiplied by `kept` (n, n_features).
    """
    steps, count, size = inputs.shape
    for step in range(steps):
        for row in range(count):
            own, given, share = noise[step, row], inputs[step, row], kept[row]
            for at in range(size):
                own[at] = (given[at] + width * (own[at] - HALF)) * share[at]

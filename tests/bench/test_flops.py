"""The operations of a training step, counted by the formula and by multiplying it out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.bench.flops import Shape, training_flops

TINY = Shape(n_features=3, units=(2,), n_labels=1, sequence_steps=2, learned_steps=2, warmup_steps=1)


def test_a_tiny_network_counts_as_by_hand() -> None:
    recurrent = 3 * 2 * (2 * 8)  # three steps of (1, 2) @ (2, 8)
    attention = 3 * 2 * (2 * 4) + 2 * 2 * (2 * 4)  # keys and values at three steps, queries and output at two
    pairs = 2 * 2 * 2 + 2 * 2 * 2  # two scored steps look back on two steps each: dot product, then mixing
    scores = 2 * pairs
    head = 2 * (2 * 4 * 1)  # two scored steps of (1, 4) @ (4, 1)
    features = 3 * (2 * 3 * 8)  # their product with the kernel at three steps
    assert training_flops(TINY) == 3 * (recurrent + attention + scores + head) + 2 * features


def products(shape: Shape) -> Iterator[tuple[int, int, int, bool]]:
    """Each matrix product of one forward pass: rows, inner size, columns, and whether its left side is the features."""
    for step in range(shape.warmup_steps + shape.learned_steps):
        left = shape.n_features
        for number, units in enumerate(shape.units):
            yield 1, left, 4 * units, number == 0
            yield 1, units, 4 * units, False
            left = units
        yield from [(1, left, left, False)] * 2  # key and value
        if step >= shape.warmup_steps:
            seen = min(step + 1, shape.sequence_steps)
            yield from [(1, left, left, False)] * 2  # query and output
            yield 1, left, seen, False
            yield 1, seen, left, False
            yield 1, 2 * left, shape.n_labels, False


@pytest.mark.parametrize(
    "shape",
    [
        TINY,
        replace(TINY, units=(5, 4, 3), n_labels=4),
        replace(TINY, sequence_steps=7, learned_steps=11, warmup_steps=0),
        Shape(n_features=192, units=(192, 96, 48), n_labels=4, sequence_steps=60, learned_steps=120, warmup_steps=20),
    ],
)
def test_the_formula_is_the_sum_over_all_products(shape: Shape) -> None:
    total = sum(2 * rows * inner * columns * (2 if first else 3) for rows, inner, columns, first in products(shape))
    assert training_flops(shape) == total

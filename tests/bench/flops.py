"""The arithmetic of a training step, counted from the architecture."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Shape:
    """All that the count depends on."""

    n_features: int
    units: tuple[int, ...]
    n_labels: int
    sequence_steps: int
    learned_steps: int
    warmup_steps: int


def training_flops(shape: Shape) -> int:
    """Floating-point operations of one sequence's forward and backward pass, matrix products only.

    A product (m, k) @ (k, n) takes 2 m k n. Forward, with T = warm-up + learned steps and S = learned steps:

    - LSTM layer of u units on i inputs: T * 2 (i + u) 4u
    - attention of d = the last layer's units: keys and values T * 2 * 2dd; queries and output S * 2 * 2dd; scores and
      mixing 2 * 2d for each pair of a step and one it looks back on, itself included: at most `sequence_steps` each
    - head S * 2 * 2d * n_labels

    The backward pass takes each product twice more (gradient of the inputs, gradient of the weights), except the one of
    the features, whose own gradient nobody needs. Only what is useful counts: no gates' arithmetic, no optimiser, no
    masked pair, no output at a warm-up step. So the share of the peak is never flattered.
    """
    steps, scored = shape.warmup_steps + shape.learned_steps, shape.learned_steps
    last = shape.units[-1]
    layers = sum(steps * 2 * (inputs + units) * 4 * units for inputs, units in pairwise((0, *shape.units)))
    projections = (steps + scored) * 2 * 2 * last * last
    pairs = sum(min(step + 1, shape.sequence_steps) for step in range(shape.warmup_steps, steps))
    head = scored * 2 * 2 * last * shape.n_labels
    of_features = steps * 2 * shape.n_features * 4 * shape.units[0]
    return 3 * (layers + projections + pairs * 2 * 2 * last + head) + 2 * of_features

"""The panel cut into overlapping segments, so that one pass of the network learns at every step."""

from dataclasses import dataclass, field

import numpy as np

from ensemble.arrays import Integers, Reals, Singles


@dataclass(frozen=True, slots=True)
class Batch:
    """Some segments, time first: `inputs` (n_steps, n, n_features), `skip` and `labels` (n_learned, n, n_labels).

    `skip` holds the log-odds that the linear skip gives in the learned steps, the last ones; an unknown label is NaN.
    """

    inputs: Reals
    skip: Reals
    labels: Reals


@dataclass
class Segments:
    """A window's rows, (n_symbols, n_rows, ...), padded so that segments may begin before them and end after them.

    A segment is `warmup_steps` rows that bring the state up, then `learned_steps` rows that are learned from.
    """

    inputs: Singles
    skip: Reals
    labels: Singles
    warmup_steps: int
    learned_steps: int
    n_rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_rows = self.inputs.shape[1]
        self.inputs, self.skip = self._padded(self.inputs, 0), self._padded(self.skip, 0)
        self.labels = self._padded(self.labels, np.nan)

    def batches(self, size: int, random: np.random.Generator) -> list[Integers]:
        """One epoch, each row of each symbol once, cut at a new phase: batches of (n, 2), symbol and first row."""
        phase = int(random.integers(self.learned_steps))
        firsts = np.arange(-phase, self.n_rows, self.learned_steps)
        symbols = np.arange(len(self.inputs))
        places = np.stack(np.meshgrid(symbols, firsts, indexing="ij"), axis=-1).reshape(-1, 2)
        random.shuffle(places)
        return [places[start : start + size] for start in range(0, len(places), size)]

    def cut(self, places: Integers) -> Batch:
        """The segments whose rows to learn from begin at `places`, (n, 2): symbol, row."""
        steps = np.arange(self.warmup_steps + self.learned_steps)[:, None]
        symbols, rows = places[:, 0], places[:, 1] + self.learned_steps + steps
        learned = rows[self.warmup_steps :]
        return Batch(self.inputs[symbols, rows], self.skip[symbols, learned], self.labels[symbols, learned])

    def _padded(self, values: Reals, filling: float) -> Reals:
        before, after = self.warmup_steps + self.learned_steps, self.learned_steps
        return np.pad(values, ((0, 0), (before, after), (0, 0)), constant_values=filling)

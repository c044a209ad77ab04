"""The one place that knows how to run a training step of the project's own trainer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Integers
from ensemble.members.panel_training import PanelTrainer
from ensemble.members.scaling import fit_scaler
from ensemble.members.segments import Batch, Segments
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window
from tests.bench.flops import Shape, training_flops

HALFWAY = 0.5
"""Where in the training each step says it is: the step size there is an ordinary one."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over a window, every step of it as the trainer takes it, batches cut included."""

    spec: LstmSpec
    trainer: PanelTrainer
    segments: Segments
    plan: Sequence[Integers]

    def run(self) -> None:
        """Moves the weights once a batch."""
        for places in self.plan:
            self.trainer.step(self.segments.cut(places), HALFWAY)

    @property
    def n_segments(self) -> int:
        """How many segments one pass learns from."""
        return sum(len(places) for places in self.plan)

    @property
    def flops(self) -> int:
        """Of the matrix products that one pass needs."""
        n_features, n_labels = self.segments.inputs.shape[2], self.segments.labels.shape[2]
        spec = self.spec
        shape = Shape(n_features, spec.units, n_labels, spec.sequence_steps, spec.learned_steps, spec.warmup_steps)
        return self.n_segments * training_flops(shape)

    def whole(self) -> Batch:
        """All segments of the pass."""
        return self.segments.cut(np.concatenate(self.plan))


def open_epoch(spec: LstmSpec, window: Window) -> Epoch:
    """A pass with fresh weights. The linear skip is fitted before the training, so here it gives nothing."""
    inputs = fit_scaler(window)(window.values)
    skip = np.zeros(window.labels.shape, np.float32)
    segments = Segments(inputs, skip, window.labels, spec.warmup_steps, spec.learned_steps)
    random = np.random.default_rng(0)
    trainer = PanelTrainer(spec, inputs.shape[2], window.labels.shape[2], random)
    return Epoch(spec, trainer, segments, segments.batches(spec.segments_per_step, random))

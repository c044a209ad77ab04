"""Trains an LSTM member fast: sequence to sequence over the whole panel, on top of a ridge-logit, in NumPy.

The linear skip from the newest inputs to the outputs is fitted first, as the ridge-logit it is, and stays; the network
learns what it leaves. One pass over a segment takes a loss at every step after the warm-up, where the published recipe
unrolls sixty steps for each.
"""

import numpy as np

from ensemble.arrays import Reals
from ensemble.members.backpropagation import slopes_by_weights
from ensemble.members.curve import Curve, Epoch
from ensemble.members.descent import Descent
from ensemble.members.errors import TrainingError
from ensemble.members.kernels import disturb, open_gates
from ensemble.members.logit import fit_logit
from ensemble.members.lstm import Lstm
from ensemble.members.network import first_weights, run_network
from ensemble.members.segments import Batch, Segments
from ensemble.members.specs import LogitSpec, LstmSpec
from ensemble.windows import Window


def fit_panel(spec: LstmSpec, window: Window, *, seed: int) -> Lstm:
    """Trains one network. The same arguments give the same bits on the same family of processors.

    Raises TrainingError when the window holds no known outcome or the loss stops being a number.
    """
    if not np.isfinite(window.labels).any():
        raise TrainingError(f"member {spec.name}: the window holds no known outcome; widen ensemble.window_years.")
    random = np.random.default_rng(seed)
    linear = fit_logit(LogitSpec(penalty=spec.skip_penalty), window)
    skip = {"skip_kernel": linear.weights.astype(np.float32), "skip_bias": linear.intercepts.astype(np.float32)}
    inputs = linear.scaler(window.values)
    linear_odds = inputs @ skip["skip_kernel"] + skip["skip_bias"]
    segments = Segments(inputs, linear_odds, window.labels, spec.warmup_steps, spec.learned_steps)
    trainer = PanelTrainer(spec, inputs.shape[2], window.labels.shape[2], random)
    curve = trainer.descend(segments)
    return Lstm(linear.scaler, trainer.weights | skip, spec.sequence_steps, spec.warmup_steps, curve)


class PanelTrainer:
    """A network under training. `step` is the unit that `make bench` times."""

    def __init__(self, spec: LstmSpec, n_features: int, n_labels: int, random: np.random.Generator) -> None:
        self._spec, self._random = spec, random
        self._descent = Descent(first_weights(spec.units, n_features, n_labels, random), spec.learning_rate)

    def descend(self, segments: Segments) -> Curve:
        """Trains for all of the spec's epochs. Raises TrainingError when the loss is no number."""
        plan = [segments.batches(self._spec.segments_per_step, self._random) for _ in range(self._spec.epochs)]
        done, total, curve = 0, sum(len(batches) for batches in plan), []
        for batches in plan:
            losses = []
            for batch in batches:
                done += 1
                with np.errstate(over="ignore", invalid="ignore"):  # looked for below, once an epoch
                    losses.append(self.step(segments.cut(batch), done / total))
            curve.append(Epoch(self._descent.rate(done / total), float(np.mean(losses))))
            if not np.isfinite(curve[-1].loss):
                raise TrainingError(f"member {self._spec.name}: the loss is not a number; lower its learning_rate.")
        return tuple(curve)

    def step(self, batch: Batch, progress: float) -> float:
        """One move of all weights, `progress` of the way through the training; the batch's mean log loss before it."""
        masks = [self._mask(batch.inputs.shape[1], units, self._spec.dropout) for units in self._spec.units]
        done = run_network(
            self._descent.weights,
            self._disturbed(batch.inputs),
            look_back=self._spec.sequence_steps,
            asking=len(batch.labels),
            masks=masks,
            opener=open_gates,
        )
        loss, slopes = _log_loss(done.log_odds + batch.skip, batch.labels)
        self._descent.step(slopes_by_weights(self._descent.weights, done, slopes, masks=masks), progress)
        return loss

    @property
    def weights(self) -> dict[str, Reals]:
        """The weights as they stand, without the skip's."""
        return self._descent.weights

    def _disturbed(self, inputs: Reals) -> Reals:
        """Noise on every input, and whole features dropped for a sequence: nothing to learn by heart."""
        noise = self._random.random(inputs.shape, dtype=np.float32)
        kept = self._mask(inputs.shape[1], inputs.shape[2], self._spec.input_dropout)
        width = self._spec.input_noise * np.sqrt(12)  # uniform: a fifth of the time of normal noise
        disturb(noise, inputs, kept, width)
        return noise

    def _mask(self, count: int, size: int, dropped: float) -> Reals:
        """0 for what is dropped, else what keeps the mean; one row a sequence, the same for all its steps."""
        kept = self._random.random((count, size), dtype=np.float32) >= dropped
        return kept / np.float32(1 - dropped)


def _log_loss(log_odds: Reals, labels: Reals) -> tuple[float, Reals]:
    """Mean log loss over the known labels, and its slopes by the log-odds; 0 where the label is unknown."""
    known = np.isfinite(labels)
    count = max(int(known.sum()), 1)
    losses = np.logaddexp(0, np.where(labels > 0.5, -log_odds, log_odds))
    slopes = np.where(known, 1 / (1 + np.exp(-log_odds)) - labels, 0) / count
    return float(losses[known].sum() / count), slopes.astype(np.float32)

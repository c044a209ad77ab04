"""How often each side was said and came true, and the scores that follow from those four counts."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ensemble.arrays import Floats

Count = TypeVar("Count", float, Floats)


@dataclass(frozen=True, slots=True)
class Sides(Generic[Count]):
    """The four counts of one label, or of many resamples of it at once (arrays of one shape).

    Scores are NaN where they are not defined: the precision of who never says up, the recall where nothing went up.
    """

    true_ups: Count
    false_ups: Count
    false_downs: Count
    true_downs: Count

    @property
    def forecasts(self) -> Count:
        """All of them."""
        return self.true_ups + self.false_ups + self.false_downs + self.true_downs

    @property
    def accuracy(self) -> Count:
        """Share that was right."""
        return _share(self.true_ups + self.true_downs, self.forecasts)

    @property
    def up_share(self) -> Count:
        """Share of outcomes that were up: the precision of always saying up."""
        return _share(self.true_ups + self.false_downs, self.forecasts)

    @property
    def said_up_share(self) -> Count:
        """Share of forecasts that said up: 0 or 1 for a constant."""
        return _share(self.true_ups + self.false_ups, self.forecasts)

    @property
    def precision(self) -> Count:
        """Share of the forecasts of up that came true."""
        return _share(self.true_ups, self.true_ups + self.false_ups)

    @property
    def recall(self) -> Count:
        """Share of the ups that were forecast."""
        return _share(self.true_ups, self.true_ups + self.false_downs)

    @property
    def balanced_accuracy(self) -> Count:
        """Mean of the share of ups and the share of downs that were forecast: .5 for any constant."""
        return (self.recall + _share(self.true_downs, self.true_downs + self.false_ups)) / 2

    @property
    def f1(self) -> Count:
        """Harmonic mean of precision and recall; always saying up earns 2 u / (1 + u) at a share u of ups."""
        return _share(2 * self.true_ups, 2 * self.true_ups + self.false_ups + self.false_downs)

    @property
    def mcc(self) -> Count:
        """Correlation of side and outcome, -1 to 1 (Matthews 1975); NaN for a constant."""
        up, down = self.true_ups + self.false_ups, self.true_downs + self.false_downs
        went_up, went_down = self.true_ups + self.false_downs, self.true_downs + self.false_ups
        together = self.true_ups * self.true_downs - self.false_ups * self.false_downs
        spread: Count = np.sqrt(up * down * went_up * went_down)
        return _share(together, spread)


def count_sides(probability: Floats, outcome: Floats) -> Sides[float]:
    """The counts of n forecasts (n,) and their outcomes (n,) of 0 and 1; above one half says up."""
    up, went_up = probability > 0.5, outcome > 0.5
    return Sides(
        true_ups=float((up & went_up).sum()),
        false_ups=float((up & ~went_up).sum()),
        false_downs=float((~up & went_up).sum()),
        true_downs=float((~up & ~went_up).sum()),
    )


def _share(part: Count, whole: Count) -> Count:
    with np.errstate(invalid="ignore"):
        quotient: Count = np.true_divide(part, whole)
    return quotient

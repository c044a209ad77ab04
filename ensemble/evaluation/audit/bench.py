"""What is audited, and the worlds that several checks look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ensemble.evaluation.audit.effort import Effort
from ensemble.evaluation.audit.learners import DyedLearners, Trace, dyed
from ensemble.evaluation.audit.plant import Planted, plant
from ensemble.evaluation.audit.world import World, last_months
from ensemble.evaluation.audit.worlds import as_known, other_future, signs_flipped
from ensemble.features.matrix import Market
from ensemble.panel import Panel


@dataclass(frozen=True)
class Bench:
    """One pipeline in one market."""

    clean: World
    """The market as it was, and the month whose forecasts are looked at."""
    effort: Effort

    @property
    def market(self) -> Market:
        """As it was."""
        return self.clean.market

    @property
    def panel(self) -> Panel:
        """Of the market as it was."""
        return self.clean.panel

    @cached_property
    def rows(self) -> slice:
        """The rows of the tested months."""
        options, sessions = self.clean.options, self.panel.sessions
        folds = [options.fold(sessions, month).test for month in self.clean.months]
        return slice(folds[0].start, folds[-1].stop)

    @cached_property
    def early_row(self) -> int:
        """A row at which many features still warm up: what fills their gaps from later shows there."""
        return int(0.15 * self.rows.start)

    @cached_property
    def said_row(self) -> int:
        """A row inside the tested month: worlds part there, and forecasts before and after it are looked at."""
        rows = self.rows
        return int(rows.start + rows.stop) // 2

    @property
    def later_rows(self) -> slice:
        """The tested rows after `said_row`."""
        return slice(self.said_row + 1, self.rows.stop)

    @cached_property
    def cut_rows(self) -> tuple[int, ...]:
        """Rows at which features are looked at: spread over the later part, `said_row` among them, oldest first."""
        last = self.rows.stop - 2
        spread = np.linspace(0.6 * last, last, self.effort.rows).astype(np.int64).tolist()
        return tuple(sorted({*spread, self.said_row}))

    @cached_property
    def cut(self) -> World:
        """Only what was known when `said_row` was decided."""
        return self.clean.of(as_known(self.market, self.said_row))

    @cached_property
    def other_future(self) -> World:
        """Everything not known when `said_row` was decided went another way."""
        return self.clean.of(other_future(self.market, self.said_row))

    @cached_property
    def traces(self) -> Sequence[Trace]:
        """What everything that is fitted was given, read off a dyed panel."""
        learners = DyedLearners()
        panel = dyed(self.panel, self.market.limits)
        self.clean.pipeline.walk(self.market, panel, self.clean.months, learners)
        return learners.traces

    @cached_property
    def flipped(self) -> tuple[World, ...]:
        """Markets in which a coin decided every session, and some months forecast in each."""
        months = last_months(self.panel, self.clean.options, self.effort.flip_months)
        worlds = (self.clean.of(signs_flipped(self.market, seed)) for seed in range(self.effort.flips))
        return tuple(replace(world, months=months) for world in worlds)

    @cached_property
    def planted(self) -> Planted:
        """A simulated market whose best possible forecast is known, forecast by the same pipeline."""
        return plant(self.clean, self.effort)

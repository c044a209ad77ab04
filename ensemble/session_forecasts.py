"""What a model says about consecutive sessions: arrays, from which records are made only where they are wanted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats, Mask
from ensemble.forecasts import Forecast, MemberForecast
from ensemble.labels import LABELS
from ensemble.stacking.history import CLIP_LOG_ODDS


@dataclass(frozen=True, slots=True)
class ForecastBlock:
    """Probabilities of every symbol, session and label: (n_symbols, n_sessions, n_labels)."""

    model_id: str
    methods: Mapping[str, str]
    """Label -> who speaks."""
    members: tuple[str, ...]
    symbols: tuple[str, ...]
    sessions: tuple[date, ...]
    data_digests: tuple[str, ...]
    """Of what each session's forecasts were made from."""
    known: Mask
    """(n_symbols, n_sessions): the symbol's newest bar is known; else nothing is said about it."""
    combined: Floats
    mean: Floats
    low: Floats
    """Low end of the combined probability's interval, NaN where it is not known; `high` likewise."""
    high: Floats
    single: Floats
    """(n_members, n_symbols, n_sessions, n_labels)."""


@dataclass(frozen=True, slots=True)
class SessionForecasts:
    """All that was said about one session: a column of a block."""

    block: ForecastBlock
    place: int

    def forecasts(self) -> list[Forecast]:
        """One a known symbol and label."""
        block, place = self.block, self.place
        session, digest = block.sessions[place], block.data_digests[place]
        combined, mean = block.combined[:, place].tolist(), block.mean[:, place].tolist()
        low, high = _or_none(block.low[:, place]), _or_none(block.high[:, place])
        return [
            Forecast(
                session,
                block.symbols[symbol],
                label,
                combined[symbol][column],
                mean[symbol][column],
                block.methods[label],
                block.model_id,
                digest,
                low[symbol][column],
                high[symbol][column],
            )
            for symbol in self._known()
            for column, label in enumerate(LABELS)
        ]

    def member_forecasts(self) -> list[MemberForecast]:
        """One a known symbol, label and member."""
        block, place = self.block, self.place
        session, single = block.sessions[place], block.single[:, :, place].tolist()
        return [
            MemberForecast(session, block.symbols[symbol], label, name, single[member][symbol][column], block.model_id)
            for symbol in self._known()
            for column, label in enumerate(LABELS)
            for member, name in enumerate(block.members)
        ]

    def probabilities(self, label: str) -> dict[str, float]:
        """The ensemble's, by known symbol."""
        column = LABELS.index(label)
        return {
            self.block.symbols[symbol]: float(self.block.combined[symbol, self.place, column])
            for symbol in self._known()
        }

    @property
    def session(self) -> date:
        """What was forecast."""
        return self.block.sessions[self.place]

    def spreads(self, label: str) -> dict[str, float]:
        """Standard deviation of the members' log-odds, cut where the combiner cuts them, by known symbol."""
        single = self.block.single[:, :, self.place, LABELS.index(label)]
        with np.errstate(divide="ignore"):
            log_odds = np.clip(np.log(single) - np.log1p(-single), -CLIP_LOG_ODDS, CLIP_LOG_ODDS)
        return {self.block.symbols[symbol]: float(log_odds[:, symbol].std()) for symbol in self._known()}

    @property
    def count(self) -> int:
        """How many forecasts there are."""
        return len(self._known()) * len(LABELS)

    @property
    def member_count(self) -> int:
        """How many member forecasts there are."""
        return self.count * len(self.block.members)

    def _known(self) -> list[int]:
        places: list[int] = np.flatnonzero(self.block.known[:, self.place]).tolist()
        return places


def _or_none(values: Floats) -> list[list[float | None]]:
    """None, which is SQL's NULL, where NaN was."""
    return [[None if math.isnan(value) else value for value in row] for row in values.tolist()]


def nothing_said(session: date) -> SessionForecasts:
    """For a session that no model was asked about."""
    nothing = np.zeros((0, 1, len(LABELS)))
    block = ForecastBlock(
        model_id="",
        methods={},
        members=(),
        symbols=(),
        sessions=(session,),
        data_digests=("",),
        known=np.zeros((0, 1), dtype=np.bool_),
        combined=nothing,
        mean=nothing,
        low=nothing,
        high=nothing,
        single=nothing[None],
    )
    return SessionForecasts(block, 0)

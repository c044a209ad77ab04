"""One month's model: the members, and the combiner that speaks for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import Field, field_validator

from ensemble.arrays import Floats
from ensemble.members.fitted import FittedMember
from ensemble.members.specs import LstmSpec, MemberEntry, MemberSpec, training_settings
from ensemble.panel import Panel
from ensemble.session_forecasts import ForecastBlock
from ensemble.stacking.combiner import Combiner, StackOptions
from ensemble.stacking.history import MemberOdds
from ensemble.windows import WalkForward

REGIME_FEATURES = ("trend_state", "volatility_level", "up_gap_share", "beta_move")
CONTEXT_FEATURES = ("INDA since_close", "^GSPC since_close", "^VIX close_to_close", "^NSEI close_to_close")
"""What the stack sees besides the members: regimes, and the context where these series are configured."""
DECIMALS = 9
"""Probabilities are kept to this: a session forecast alone and in a batch then gives the same number."""


class EnsembleOptions(WalkForward):
    """The [ensemble] table."""

    members: tuple[MemberEntry, ...] = Field(
        default=(
            {"preset": "wider"},
            {"preset": "optimal"},
            {"preset": "balanced"},
            {"preset": "logit"},
            {"preset": "lightgbm"},
        ),  # type: ignore[arg-type]
        min_length=1,
        description="who forecasts: a preset each, or a preset with some of its figures changed",
    )
    stack: StackOptions = StackOptions()

    @property
    def rows_seen(self) -> int:
        """How many rows up to its own a forecast depends on."""
        steps = [one.steps_seen for one in self.members if isinstance(one, LstmSpec)]
        return max(steps, default=1)

    @field_validator("members")
    @classmethod
    def _names_differ(cls, members: tuple[MemberSpec, ...]) -> tuple[MemberSpec, ...]:
        names = [member.name for member in members]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two members are called {doubled[0]!r}; give one of them another name")
        for place, member in enumerate(members):
            twin = next((one for one in members[:place] if training_settings(one) == training_settings(member)), None)
            if twin is not None:
                raise ValueError(f"members {twin.name!r} and {member.name!r} are the same; use one with seeds = 2")
        return members


Members = Mapping[str, Sequence[FittedMember]]
"""Member name -> its networks, one a seed."""


@dataclass(frozen=True)
class Model:
    """What serves for one month of sessions."""

    model_id: str
    month: str
    """The month it was made for, as in "2021-10"."""
    combiner: Combiner
    read_members: Callable[[], Members]

    @cached_property
    def members(self) -> Members:
        """Read when they are asked for first; where their forecasts are kept already, they never are."""
        return self.read_members()


def member_odds(members: Members, panel: Panel, rows: slice) -> MemberOdds:
    """Each member's log-odds for `rows`, the mean over its seeds."""
    odds = np.stack([np.mean([one.log_odds(panel, rows) for one in seeds], axis=0) for seeds in members.values()])
    return with_conditions(tuple(members), np.round(odds, DECIMALS), panel, rows)


def with_conditions(members: tuple[str, ...], log_odds: Floats, panel: Panel, rows: slice) -> MemberOdds:
    """The members' log-odds for `rows`, the regime, and what the panel has of the context. Raises ColumnMismatch."""
    names = tuple(name for name in (*REGIME_FEATURES, *CONTEXT_FEATURES) if name in panel.features)
    columns = [panel.features.index(name) for name in names]
    return MemberOdds(members, log_odds, names, panel.values[:, rows][:, :, columns].astype(np.float64))


def forecast_rows(
    model: Model, odds: MemberOdds, panel: Panel, *, rows: slice, data_digests: Sequence[str]
) -> ForecastBlock:
    """What the model makes of its members' `odds` for `rows`: every symbol of the panel, every label."""
    log_odds = model.combiner.log_odds(odds)
    low, high = (np.round(side, DECIMALS) for side in model.combiner.interval(log_odds))
    return ForecastBlock(
        model_id=model.model_id,
        methods=model.combiner.methods(),
        members=odds.members,
        symbols=panel.symbols,
        sessions=tuple(panel.sessions[rows].date),
        data_digests=tuple(data_digests),
        known=panel.bar_age[:, rows] >= 0,
        combined=_probability(log_odds),
        mean=_probability(odds.mean()),
        low=low,
        high=high,
        single=_probability(odds.log_odds),
    )


def _probability(log_odds: Floats) -> Floats:
    return np.round(1 / (1 + np.exp(-log_odds)), DECIMALS)

"""What a bar must keep to, and the reasons why one is not used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import pandas as pd
from pydantic import Field

from ensemble.options import Options


class Refusal(StrEnum):
    """Why a bar is not used. Of several, the first of this order is told: the rest say nothing new."""

    NO_DATE = "no_date"
    DUPLICATE = "duplicate"
    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    RANGE = "range"
    NOT_A_SESSION = "not_a_session"
    NO_VOLUME = "no_volume"
    NOT_LISTED = "not_listed"
    FROZEN = "frozen"
    MISSCALED = "misscaled"
    BAD_TICK = "bad_tick"
    MOVE_LIMIT = "move_limit"
    NEW_LEVEL = "new_level"


BY_NEIGHBOURS = frozenset(
    {
        Refusal.NOT_LISTED,
        Refusal.FROZEN,
        Refusal.MISSCALED,
        Refusal.BAD_TICK,
        Refusal.MOVE_LIMIT,
        Refusal.NEW_LEVEL,
    }
)
"""Reasons that follow from the bars around, so that more of them, or news, may overturn them."""


class BarRules(Options):
    """What a bar must keep to: the table [bars] of the configuration."""

    max_move_pct: float = Field(
        default=50.0,
        ge=5.0,
        le=1000.0,
        description="a traded bar that leaves its neighbours by more and comes back is refused, "
        "per cent of the lower close",
    )
    max_context_move_pct: float = Field(
        default=200.0,
        ge=5.0,
        le=10000.0,
        description="the same for context bars, per cent of the lower close (the VIX rose by 116 one day)",
    )
    bad_tick_scales: float = Field(
        default=8.0,
        ge=5.0,
        le=100.0,
        description="a close so far from both its neighbours, from which the market was back when it opened, is "
        "refused, daily moves of the series itself",
    )
    range_tolerance_bp: float = Field(
        default=1.0,
        ge=0.0,
        le=100.0,
        description="how far open and close may lie outside low to high: rounding by the feed, basis points",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Whose bars they are, and what is known besides them."""

    symbol: str
    complete: bool
    """Traded, or a peer of what is: all prices and a volume are needed. Else context."""
    sessions: pd.DatetimeIndex | None
    """The days its exchange was open; None: unknown, any day will do."""
    steps: Mapping[date, float] = field(default_factory=dict)
    """By ex-date, the part of the price that an action has left, and that no feed adjusts for: 0.75 after a demerger
    of a quarter."""
    crowd: "pd.Series[float] | None" = None
    """By session, how far the others of its exchange moved: half of them farther, in daily scales of their own."""
    vouched: frozenset[date] = frozenset()
    """Sessions whose bar is believed already, or was accepted by a person: no level is doubted that begins there."""


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """Every row of a raw frame, in one of two heaps; equal copies of one row count as one row."""

    kept: pd.DataFrame
    """A bars frame."""
    refused: pd.DataFrame
    """RangeIndex; columns session (NaT where the date was unreadable), reason, *BAR_COLUMNS as they came."""

"""What an explanation holds: plain facts, which a terminal, JSON and the report show alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from ensemble.evaluation.past_record import PastRecord
from ensemble.forecasts import Forecast
from ensemble.trading.signals import Signal


@dataclass(frozen=True, slots=True)
class Share:
    """What one feature had to do with it."""

    feature: str
    value: float
    """As the members were given it; NaN where it was not known."""
    log_odds: float
    """Above 0 it spoke for the label, below 0 against it."""


@dataclass(frozen=True, slots=True)
class MemberVoice:
    """One member: what it said, how much that counted, and why it said it."""

    name: str
    probability: float
    """As stored."""
    log_odds: float
    """As worked out again, before the combiner cuts it; likewise all that follows."""
    weight: float | None
    """Of its log-odds in the ensemble's; None where members vote."""
    how: str
    """coefficients, tree shares or integrated gradients: what a share means."""
    base: float
    """Log-odds when no feature is out of the ordinary."""
    unexplained: float
    """What base and features leave of the log-odds."""
    features: tuple[Share, ...]
    """All of them, the largest first."""
    steps: tuple[float, ...]
    """Of a network: what each session's features had to do with it, the newest last; they add up as features do."""


@dataclass(frozen=True, slots=True)
class Combined:
    """How the members' log-odds became the ensemble's: see `Combination`."""

    method: str
    why: str
    intercept: float
    added_by_trees: Mapping[str, float]
    before_calibration: float
    """A probability, as the two that follow."""
    after_calibration: float
    others: Mapping[str, float]
    """What each of those that may speak would have said."""


@dataclass(frozen=True, slots=True)
class SeriesKnown:
    """The newest bar of a series that was known."""

    symbol: str
    kind: str
    """traded, peer or context."""
    newest: date | None
    """None where there was none, or too old a one."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was known at the decision."""

    bars_known_at: datetime
    series: tuple[SeriesKnown, ...]
    features: int
    unknown_features: tuple[str, ...]
    """Those without a value."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """The model that spoke."""

    model_id: str
    month: str
    created_at: datetime | None
    """None where the index of models has lost it."""
    trained_from: str
    trained_to: str


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that stands between a forecast and an order."""

    rule: str
    found: str
    asked: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """What a new position might have been worth at most by one limit, in the account's currency."""

    limit: str
    value: float


@dataclass(frozen=True, slots=True)
class Rules:
    """What was asked of the forecast before it was acted on."""

    checks: tuple[Check, ...]
    bounds: tuple[Bound, ...]
    """The smallest is the one that bound."""
    price: float | None
    """The last close known, by which shares are counted."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether what was worked out again is what is stored."""

    differences: tuple[str, ...]
    basis: str
    """From which bars and settings it was worked out, in words."""
    other_code: str
    """By which code and libraries the row was made, where they are others than now: a difference may be theirs."""

    @property
    def is_equal(self) -> bool:
        """Every number, the digest of the features and the decision are the same to the last digit kept."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What was worked out again from the bars, the settings and the model of then."""

    inputs: Inputs
    speaker: Speaker
    combined: Combined
    members: tuple[MemberVoice, ...]
    drivers: tuple[Share, ...]
    """Features by what they had to do with the ensemble's log-odds, the members' shares weighted; the largest first."""
    ordinary: float
    """The members' probability together when no feature is out of the ordinary."""
    rules: Rules | None
    """None for a symbol or a label that is not traded."""
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a stored row is what it is."""

    session: date
    symbol: str
    label: str
    origin: str
    decided_at: datetime
    forecast: Forecast | None
    member_probabilities: Mapping[str, float]
    signal: Signal | None
    """Only where it follows from this label's forecast."""
    outcome: int | None
    """None where it is not known, or held out."""
    held_out: bool
    """The session lies in the hold-out: neither what came of it nor how models did there is told."""
    past: Mapping[str, PastRecord]
    """How often forecasts as sure as this one were right, by whose they are; only outcomes known before the session."""
    reasoning: Reasoning | None
    unexplained: str
    """Why nothing could be worked out again; empty where it was."""

"""What the ensemble says: probabilities, never decisions."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Forecast:
    """P(label is 1) for one symbol and session, as decided before the session opened."""

    session: date
    symbol: str
    label: str
    probability: float
    probability_mean: float
    """The plain mean of the members' log-odds, as a probability: what `probability` has to beat."""
    method: str
    """Who spoke: "mean", "vote", "ridge", "stack", "platt", "beta" or "isotonic"."""
    model_id: str
    data_digest: str
    probability_low: float | None = None
    """Venn-Abers interval of the calibrated probability; None where there is too little history to tell."""
    probability_high: float | None = None


@dataclass(frozen=True, slots=True)
class MemberForecast:
    """One member's P(label is 1), kept so that every forecast can be taken apart."""

    session: date
    symbol: str
    label: str
    member: str
    probability: float
    model_id: str

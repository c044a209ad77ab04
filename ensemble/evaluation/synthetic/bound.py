"""How near forecasts come to the best possible ones of a synthetic market, and whether they lie beyond them."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.roc_area import AreaDifference, RocArea, compare_auc, fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.synthetic.market import ORACLE_LABELS, SyntheticMarket
from ensemble.labels import label_bars, label_horizon
from ensemble.trading.limits import RiskLimits

NO_CHANCE = 3.0
"""Standard errors above the oracle that nobody reaches by luck: one in 700 would reach them with the oracle's skill."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Forecasts beside the oracle's, on the same sessions and outcomes."""

    area: RocArea
    """Averaged over months, over quarters for one symbol."""
    oracle: RocArea
    excess: AreaDifference
    """Pooled AUC above the oracle's."""

    @property
    def share(self) -> float:
        """Of what the oracle's AUC is above a coin's, that which was found; NaN in a null market."""
        possible = self.oracle.value - 0.5
        return (self.area.value - 0.5) / possible if possible > 0 else float("nan")

    @property
    def beyond(self) -> bool:
        """They rank better than the best possible forecast, by more than luck does: they have seen the future."""
        return self.excess.difference > NO_CHANCE * self.excess.standard_error


def recover(scored: Scored, market: SyntheticMarket) -> Recovery:
    """Compares one label's forecasts, of sessions and symbols of the market, with the oracle's where both spoke.

    Raises ValueError when the label has no oracle.
    """
    best = scored.saying(oracle_on(scored, market)).where(np.isfinite(scored.probability))
    said = scored.where(np.isfinite(best.probability))
    return Recovery(fold_auc(said), fold_auc(best), compare_auc(said, best.probability))


def oracle_on(scored: Scored, market: SyntheticMarket) -> Floats:
    """The oracle's probabilities for the rows of `scored`, (n_symbols, n_sessions). Raises ValueError."""
    if scored.label not in ORACLE_LABELS:
        raise ValueError(f"label was {scored.label}; the oracle knows {', '.join(ORACLE_LABELS)} only.")
    symbols = np.array([list(market.bars).index(symbol) for symbol in scored.symbols])
    sessions = market.calendar.sessions.get_indexer(scored.sessions)
    return np.asarray(market.probability[symbols[:, None], sessions, ORACLE_LABELS.index(scored.label)])


def oracle_scored(market: SyntheticMarket) -> dict[str, Scored]:
    """Label -> the oracle's forecasts and what came of them, for every label that has an oracle."""
    sessions, limits = market.calendar.sessions, RiskLimits()
    came = [label_bars(bars, sessions=sessions, limits=limits) for bars in market.bars.values()]
    return {
        label: Scored(
            label=label,
            sessions=sessions,
            symbols=tuple(market.bars),
            probability=market.probability[..., place],
            outcome=np.stack([one[label].to_numpy(np.float64) for one in came]),
            horizon=label_horizon(label, limits) + 1,
        )
        for place, label in enumerate(ORACLE_LABELS)
    }

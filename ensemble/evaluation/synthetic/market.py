"""Makes up a market of which the best possible forecast is known.

A stock's opening gap and the session after it each move by something known beforehand and by a surprise. Known is what
a leader did in New York since the decision before, and how the stock surprised in its last session. All of it is in
proportion to a volatility that clusters, and that FEAR quotes the night before. docs/synthetic.md has the formulas.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.synthetic.bars import Moves, make_bars, make_quotes
from ensemble.evaluation.synthetic.coupling import probability_up, solve_coupling
from ensemble.evaluation.synthetic.drivers import SHARES, SURPRISE_DEVIATION, Drivers, draw_drivers
from ensemble.evaluation.synthetic.options import SyntheticOptions
from ensemble.evaluation.synthetic.timeline import ABROAD, DECISION_TIME, DELAY_MIN, HOME, make_timeline
from ensemble.features.matrix import Market
from ensemble.sessions import SessionCalendar
from ensemble.trading.limits import RiskLimits

ORACLE_LABELS = ("gap", "close_to_close", "open_to_close")
"""What the oracle knows; the barrier hangs on the paths of ten sessions and has no closed form."""
GAP_LEADER, DAY_LEADER, FEAR, INDEX = "GAPLEAD", "DAYLEAD", "^FEARVIX", "INDEX"
LEADER_VOLATILITY, INDEX_VOLATILITY = 0.010, 0.011
STOCK_VOLATILITY = (0.012, 0.020)
"""Standard deviation of a session's surprise at the usual level, as a log return; each stock's lies in this range."""
FEAR_AT_USUAL_LEVEL = 100 * np.sqrt(252) * INDEX_VOLATILITY
"""Per cent a year."""


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticMarket:
    """Bars as a feed would give them, and the probabilities that nobody can better."""

    options: SyntheticOptions
    calendar: SessionCalendar
    bars: Mapping[str, pd.DataFrame]
    """Symbol -> complete bars frame."""
    context: Mapping[str, tuple[str, pd.DataFrame]]
    """Symbol -> its exchange, its context bars frame."""
    probability: Floats
    """P(label is 1) given all that is known at the decision, (n_symbols, n_sessions, len(ORACLE_LABELS)); NaN in the
    first session, which has none before it."""

    def market(self, limits: RiskLimits | None = None) -> Market:
        """The same, as features are built from."""
        return Market(self.calendar, self.bars, self.context, DECISION_TIME, DELAY_MIN, limits or RiskLimits())

    def oracle(self) -> pd.DataFrame:
        """One row a forecast: session, symbol, label, probability; in this order, without the first session."""
        index = pd.MultiIndex.from_product(
            (self.calendar.sessions[1:], list(self.bars), ORACLE_LABELS), names=("session", "symbol", "label")
        )
        by_session = self.probability[:, 1:].swapaxes(0, 1)
        return pd.DataFrame({"probability": by_session.ravel()}, index=index).reset_index()


def simulate_market(options: SyntheticOptions) -> SyntheticMarket:
    """The market of these options: 15 years of 20 stocks take about two seconds.

    Raises ValueError when the sessions are too few for the AUC that was asked for.
    """
    seeds = np.random.SeedSequence(options.seed).spawn(2)
    timeline = make_timeline(options)
    drivers = draw_drivers(timeline, options.symbols, np.random.default_rng(seeds[0]))
    gap, day = drivers.known
    scores = np.stack([gap, np.tensordot(SHARES, drivers.known, axes=1), day], axis=-1)
    coupling = solve_coupling(scores[:, 1:].ravel(), options.auc)
    probability = probability_up(coupling * scores)
    probability[:, 0] = np.nan
    of_paths = np.random.default_rng(seeds[1])
    bars = _stocks(drivers, coupling, of_paths)
    context = _abroad(drivers, of_paths) | {INDEX: (HOME, _index(drivers, coupling, of_paths))}
    return SyntheticMarket(options, timeline.home, bars, context, probability)


def _stocks(drivers: Drivers, coupling: float, random: np.random.Generator) -> dict[str, pd.DataFrame]:
    moves = np.moveaxis(coupling * drivers.known + drivers.surprises, 1, 0)
    low, high = np.log(STOCK_VOLATILITY)
    volatilities = np.exp(random.uniform(low, high, size=len(moves)))
    return {
        f"SYN{place:03}.NS": _at_home(drivers, move, volatility, random)
        for place, (move, volatility) in enumerate(zip(moves, volatilities, strict=True), start=1)
    }


def _index(drivers: Drivers, coupling: float, random: np.random.Generator) -> pd.DataFrame:
    """What all stocks share."""
    return _at_home(drivers, coupling * drivers.from_leaders + drivers.common, INDEX_VOLATILITY, random)


def _at_home(drivers: Drivers, moves: Floats, volatility: float, random: np.random.Generator) -> pd.DataFrame:
    """Bars from moves in units of a surprise's scale, (PARTS, n_sessions)."""
    scale = volatility * drivers.levels / SURPRISE_DEVIATION
    gap, day = SHARES[:, None] * scale * moves
    return make_bars(Moves(gap, day, SHARES[1] * scale * drivers.mixing), drivers.timeline.home.sessions, random)


def _abroad(drivers: Drivers, random: np.random.Generator) -> dict[str, tuple[str, pd.DataFrame]]:
    """The two leaders, and FEAR, which quotes the volatility of the session after."""
    nights, scale = drivers.timeline.nights, LEADER_VOLATILITY * drivers.night_levels[:-1]
    found = {}
    for place, name in enumerate((GAP_LEADER, DAY_LEADER)):
        gap, day = SHARES[:, None] * scale * drivers.night_parts[:, place]
        found[name] = ABROAD, make_bars(Moves(gap, day, SHARES[1] * scale), nights, random)
    quotes = make_quotes(FEAR_AT_USUAL_LEVEL * drivers.night_levels[1:], nights)
    return found | {FEAR: (ABROAD, quotes)}

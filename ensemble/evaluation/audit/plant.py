"""A simulated market whose best possible forecast is known, and what a pipeline says in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.evaluation.audit.effort import Effort
from ensemble.evaluation.audit.world import World, last_months, scored_world
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.synthetic import ORACLE_LABELS, SyntheticMarket, SyntheticOptions, simulate_market

ATTAINABLE_AUC = 0.75


@dataclass(frozen=True, slots=True)
class Planted:
    """The pipeline's forecasts in the simulated market, and the best possible ones of the same rows."""

    said: Mapping[str, Scored]
    """Label -> forecasts and outcomes, of the labels that have an oracle."""
    oracle: Mapping[str, Scored]


def plant(clean: World, effort: Effort) -> Planted:
    """The pipeline of `clean` in a simulated market. Raises WindowError when its history is too short to learn from."""
    options = SyntheticOptions(auc=ATTAINABLE_AUC, years=effort.planted_years, symbols=effort.planted_symbols)
    simulated = simulate_market(options)
    world = clean.of(simulated.market(clean.market.limits))
    world = replace(world, months=last_months(world.panel, clean.options, effort.planted_months))
    scored = scored_world(world)
    said = {label: scored[label] for label in ORACLE_LABELS}
    return Planted(said, {label: _oracle(simulated, label, one) for label, one in said.items()})


def _oracle(simulated: SyntheticMarket, label: str, said: Scored) -> Scored:
    column = ORACLE_LABELS.index(label)
    symbols = [list(simulated.bars).index(symbol) for symbol in said.symbols]
    rows = simulated.calendar.sessions.get_indexer(said.sessions)
    return said.saying(np.asarray(simulated.probability[symbols][:, rows, column]))

"""A small simulated market, and an ensemble that trains in a moment."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.effort import Effort
from ensemble.evaluation.audit.pipeline import EnsemblePipeline, Pipeline
from ensemble.evaluation.audit.world import World, last_months
from ensemble.evaluation.synthetic import SyntheticOptions, simulate_market
from ensemble.features.matrix import Market, build_panel
from ensemble.model import EnsembleOptions

OPTIONS = EnsembleOptions.model_validate(
    {
        "window_years": 1,
        "min_sessions": 200,
        "members": [{"preset": "logit", "penalty": 300}],
        "stack": {"train_months": 1, "gate_months": 1},
    }
)
SMALL = Effort(rows=3, flips=1, flip_months=4, planted_symbols=3, planted_years=2, planted_months=4)
MakeBench = Callable[..., Bench]


@pytest.fixture(scope="session")
def market() -> Market:
    """Three years of two stocks in which something can be known; one bar is missing."""
    made = simulate_market(SyntheticOptions(auc=0.7, years=3, symbols=2, seed=1)).market()
    bars = dict(made.bars)
    bars["SYN002.NS"] = bars["SYN002.NS"].drop(made.calendar.sessions[-40])
    return replace(made, bars=bars)


@pytest.fixture(scope="session")
def months(market: Market) -> tuple[str, ...]:
    """The month whose forecasts are looked at."""
    return last_months(build_panel(market), OPTIONS, 1)


@pytest.fixture(scope="session")
def make_bench(market: Market, months: tuple[str, ...]) -> MakeBench:
    """make_bench(pipeline=the ensemble's own): a bench for one pipeline in the small market."""

    def make(pipeline: Pipeline | None = None) -> Bench:
        return Bench(World(pipeline or EnsemblePipeline(OPTIONS), OPTIONS, months, market), SMALL)

    return make


@pytest.fixture(scope="session")
def options() -> EnsembleOptions:
    """The small ensemble's."""
    return OPTIONS

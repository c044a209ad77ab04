"""Markets made up from a seed, whose best possible forecast is known."""

from ensemble.evaluation.synthetic.market import ORACLE_LABELS, SyntheticMarket, simulate_market
from ensemble.evaluation.synthetic.options import SyntheticOptions

__all__ = ["ORACLE_LABELS", "SyntheticMarket", "SyntheticOptions", "simulate_market"]

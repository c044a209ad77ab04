import numpy as np
import pandas as pd

from ensemble.evaluation.scored import scored_labels
from ensemble.trading.limits import RiskLimits

ROWS = pd.DataFrame(
    [
        ("2021-01-05", "B", "gap", 0.8, 1),
        ("2021-01-04", "A", "gap", 0.6, 0),
        ("2021-01-05", "A", "gap", 0.7, None),
        ("2021-01-04", "A", "barrier", 0.4, 1),
    ],
    columns=["session", "symbol", "label", "probability", "outcome"],
)


def test_a_label_is_a_table_of_symbols_by_sessions_with_nan_for_the_unknown() -> None:
    gap = scored_labels(ROWS, RiskLimits())["gap"]
    assert gap.symbols == ("A", "B")
    assert list(gap.sessions) == [pd.Timestamp("2021-01-04"), pd.Timestamp("2021-01-05")]
    np.testing.assert_array_equal(gap.probability, [[0.6, 0.7], [np.nan, 0.8]])
    np.testing.assert_array_equal(gap.outcome, [[0, np.nan], [np.nan, 1]])


def test_only_forecasts_with_an_outcome_are_scored_oldest_first() -> None:
    probability, outcome = scored_labels(ROWS, RiskLimits())["gap"].flat()
    assert probability.tolist() == [0.6, 0.8]
    assert outcome.tolist() == [0, 1]


def test_a_label_reaches_over_its_own_session_at_least() -> None:
    found = scored_labels(ROWS, RiskLimits(max_holding_sessions=10))
    assert list(found) == ["gap", "barrier"]
    assert (found["gap"].horizon, found["barrier"].horizon) == (1, 10)

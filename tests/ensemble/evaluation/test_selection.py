import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.selection import select


def gains(skills: list[float], *, sessions: int = 320, seed: int = 0) -> pd.DataFrame:
    """Trials that share the market's luck and have some of their own."""
    random = np.random.default_rng(seed)
    shared, own = random.normal(0, 1, (sessions, 1)), random.normal(0, 0.5, (sessions, len(skills)))
    index = pd.date_range("2012-01-01", periods=sessions, name="session")
    return pd.DataFrame(shared + own + skills, index=index, columns=[f"s-{place}" for place in range(len(skills))])


def test_a_trial_with_skill_is_found_and_proven() -> None:
    found = select(gains([0.0] * 9 + [0.5]), trials=10, horizon=1)
    assert found is not None
    assert found.best == found.superiority.best == "s-9"
    assert found.overfitting is not None
    assert found.overfitting.probability < 0.05
    assert found.is_proven
    assert found.sessions == 320
    assert 1 < found.independent < 10


def test_equal_skill_is_superior_but_choosing_among_it_proves_nothing() -> None:
    found = select(gains([0.4] * 10), trials=10, horizon=1)
    assert found is not None
    assert found.is_superior
    assert found.overfitting is not None
    assert found.overfitting.probability > 0.2


def test_without_skill_hardly_anything_is_claimed() -> None:
    seeds = range(15)
    found = [select(gains([0.0] * 8, sessions=100, seed=seed), trials=8, horizon=1) for seed in seeds]
    claimed = [one for one in found if one is not None and one.is_superior]
    assert len(claimed) <= 2  # 5 % of fifteen is less than one


def test_trials_that_were_given_up_count_against_the_best() -> None:
    few, many = (select(gains([0.1] * 5), trials=count, horizon=1) for count in (5, 500))
    assert few is not None
    assert many is not None
    assert many.deflated.benchmark > few.deflated.benchmark
    assert many.deflated.probability < few.deflated.probability


def test_one_trial_has_nothing_to_be_compared_with() -> None:
    found = select(gains([0.5]), trials=1, horizon=1)
    assert found is not None
    assert found.overfitting is None
    assert found.deflated.benchmark == 0
    assert found.is_proven


@pytest.mark.parametrize("table", [pd.DataFrame(), gains([0.0]).iloc[:2], gains([0.0, 0.0]) * 0])
def test_nothing_gained_or_lost_is_nothing_to_choose(table: pd.DataFrame) -> None:
    assert select(table, trials=3, horizon=1) is None


def test_a_constant_trial_is_never_the_best() -> None:
    table = gains([-0.5, 0.0])
    table["s-1"] = 0.0
    found = select(table, trials=2, horizon=1)
    assert found is not None
    assert found.best == "s-0"

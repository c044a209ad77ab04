"""A lower bound of precision: below the share, above it in no more worlds than is allowed, tighter with evidence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from ensemble.stacking.evidence import Evidence, gather_evidence
from ensemble.trading.precision import MIN_FORECASTS, RUNGS, least_precision, rungs, wilson_lower

LEVEL = 0.9
levels = st.sampled_from([0.5, 0.8, 0.9, 0.99])


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Any evidence that can be: some scores, counts, outcomes, worth at most as many."""
    scores = sorted(draw(st.sets(st.integers(-200, 200), min_size=1, max_size=30)))
    counts = draw(st.lists(st.integers(1, 60), min_size=len(scores), max_size=len(scores)))
    ups = [draw(st.integers(0, count)) for count in counts]
    return Evidence(tuple(scores), tuple(counts), tuple(ups), draw(st.floats(0.02, 1)) * sum(counts))


def side_share(evidence: Evidence, least: int, *, up: bool) -> float:
    """The share of forecasts with at least these log-odds of the side that came true, counted one by one."""
    kept = [
        (count, ups if up else count - ups)
        for score, count, ups in zip(evidence.scores, evidence.counts, evidence.ups, strict=True)
        if (score if up else -score) >= least
    ]
    return sum(true for _, true in kept) / sum(count for count, _ in kept)


@pytest.mark.parametrize(("true", "of"), [(0, 7), (3, 10), (60, 100), (500, 500)])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.975])
def test_the_bound_is_wilson_s(true: int, of: int, level: float) -> None:
    expected = proportion_confint(true, of, alpha=2 * (1 - level), method="wilson")[0]
    assert wilson_lower(true / of, of, level) == pytest.approx(expected, abs=1e-12)


@given(st.floats(0, 1), st.floats(0.01, 1e6), st.floats(1, 100), levels)
def test_the_bound_is_never_above_the_share_and_more_evidence_never_widens_it(
    share: float, worth: float, times: float, level: float
) -> None:
    bound = wilson_lower(share, worth, level)
    assert 0 <= bound <= share
    assert wilson_lower(share, worth * times, level) >= bound - 1e-12


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1e6), levels)
def test_a_larger_share_has_no_lower_bound(one: float, other: float, worth: float, level: float) -> None:
    low, high = sorted((one, other))
    assert wilson_lower(low, worth, level) <= wilson_lower(high, worth, level) + 1e-12


@given(evidences(), st.booleans())
def test_each_rung_holds_at_least_its_share_of_the_side_and_no_score_more_than_it_takes(
    evidence: Evidence, up: bool
) -> None:
    found = rungs(evidence, up=up)
    of_side = [
        (score if up else -score, count)
        for score, count in zip(evidence.scores, evidence.counts, strict=True)
        if (score if up else -score) >= 0
    ]
    total = sum(count for _, count in of_side)
    assert bool(found) == (total >= MIN_FORECASTS)
    for rung, share in zip(found, RUNGS, strict=bool(found)):
        assert rung.forecasts == sum(count for score, count in of_side if score >= rung.score)
        assert rung.forecasts >= share * total
        assert share == 1 or sum(count for score, count in of_side if score > rung.score) < share * total
        assert rung.came_true / rung.forecasts == pytest.approx(side_share(evidence, rung.score, up=up))
        assert rung.worth == pytest.approx(evidence.worth * rung.forecasts / evidence.count)


@given(evidences(), st.integers(0, 250), st.booleans(), levels)
def test_what_is_believed_is_never_above_the_share_of_some_rung_that_is_reached(
    evidence: Evidence, score: int, up: bool, level: float
) -> None:
    bound = least_precision(evidence, score, up=up, level=level)
    reached = [rung for rung in rungs(evidence, up=up) if rung.score <= score]
    if not reached:
        assert bound is None
    else:
        assert bound is not None
        assert 0 <= bound <= max(rung.came_true / rung.forecasts for rung in reached)


@given(evidences(), st.integers(0, 250), st.integers(0, 250), st.booleans())
def test_a_surer_forecast_is_believed_no_less(evidence: Evidence, one: int, other: int, up: bool) -> None:
    low, high = (least_precision(evidence, score, up=up, level=LEVEL) for score in sorted((one, other)))
    assert (low is None) == (high is None)
    assert low is None or high is None or low <= high


@given(evidences(), st.integers(0, 250), st.booleans(), st.integers(2, 9))
def test_more_evidence_of_the_same_shares_is_believed_no_less(
    evidence: Evidence, score: int, up: bool, times: int
) -> None:
    more = replace(
        evidence,
        counts=tuple(times * count for count in evidence.counts),
        ups=tuple(times * count for count in evidence.ups),
        worth=times * evidence.worth,
    )
    before = least_precision(evidence, score, up=up, level=LEVEL)
    after = least_precision(more, score, up=up, level=LEVEL)
    assert before is None or (after is not None and after >= before - 1e-12)


@given(evidences(), st.integers(0, 250), st.booleans())
def test_stocks_that_share_a_fate_are_believed_no_more(evidence: Evidence, score: int, up: bool) -> None:
    alone = least_precision(evidence, score, up=up, level=LEVEL)
    together = least_precision(replace(evidence, worth=evidence.worth / 6), score, up=up, level=LEVEL)
    assert (alone is None) == (together is None)
    assert alone is None or together is None or together <= alone + 1e-12


@given(evidences(), st.integers(0, 250), st.booleans())
def test_up_and_down_are_mirror_images(evidence: Evidence, score: int, up: bool) -> None:
    mirrored = Evidence(
        scores=tuple(-one for one in evidence.scores[::-1]),
        counts=evidence.counts[::-1],
        ups=tuple(count - ups for count, ups in zip(evidence.counts[::-1], evidence.ups[::-1], strict=True)),
        worth=evidence.worth,
    )
    assert least_precision(mirrored, score, up=not up, level=LEVEL) == least_precision(
        evidence, score, up=up, level=LEVEL
    )


def test_too_few_forecasts_of_a_side_tell_nothing_of_it() -> None:
    evidence = Evidence((-50, 50), (MIN_FORECASTS, MIN_FORECASTS - 1), (10, 40), 90.0)
    assert least_precision(evidence, 50, up=True, level=LEVEL) is None
    assert least_precision(evidence, 50, up=False, level=LEVEL) is not None
    assert least_precision(Evidence(), 50, up=True, level=LEVEL) is None


def test_it_is_above_the_truth_in_no_more_worlds_than_is_allowed_though_stocks_share_a_fate() -> None:
    # Nobody knows anything: the truth of every rung is one half, which is where the best of five errs most often.
    random, worlds = np.random.default_rng(7), 400
    wrong = dict.fromkeys(("up", "down", "each stock for itself", "each rung for itself"), 0)
    for _ in range(worlds):
        said = random.normal(0, 0.3, (1, 500)) + random.normal(0, 0.1, (7, 500))
        fate, own = random.random((1, 500)) < 0.5, random.random((7, 500)) < 0.5
        outcomes = np.where(random.random((7, 500)) < 0.6, fate, own).astype(np.float64)
        evidence = gather_evidence(said, outcomes, lags=0)
        wrong["up"] += believed(evidence, up=True) > 0.5
        wrong["down"] += believed(evidence, up=False) > 0.5
        wrong["each stock for itself"] += believed(replace(evidence, worth=float(evidence.count)), up=True) > 0.5
        wrong["each rung for itself"] += max(rung.least_share(LEVEL) for rung in rungs(evidence, up=True)) > 0.5
    allowed = (1 - LEVEL) * worlds + 2 * np.sqrt(worlds * LEVEL * (1 - LEVEL))
    assert {reckoning: count > allowed for reckoning, count in wrong.items()} == {
        "up": False,
        "down": False,
        "each stock for itself": True,
        "each rung for itself": True,
    }


def believed(evidence: Evidence, *, up: bool) -> float:
    """What the surest forecast of a side is believed."""
    bound = least_precision(evidence, 10_000, up=up, level=LEVEL)
    assert bound is not None
    return bound

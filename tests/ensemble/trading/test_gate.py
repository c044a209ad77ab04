"""The gate lets through what it says: the sure, the surest share of the past, what is worth more than it costs."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from math import exp
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from ensemble.stacking.evidence import Evidence
from ensemble.trading.costs import Costs, Product, Side
from ensemble.trading.gate import (
    Answer,
    Beliefs,
    GateOptions,
    Judgement,
    coverage_score,
    expected_value,
    judge,
    round_trip_cost,
    sureness,
)
from ensemble.trading.limits import RiskLimits
from ensemble.trading.payoffs import Payoff, Payoffs
from ensemble.trading.precision import MIN_FORECASTS, least_precision
from ensemble.trading.rules import TradingRules

LEVEL = 0.9
HONEST = Evidence((-100, -50, 50, 100), (100, 200, 200, 100), (27, 76, 124, 73), 600.0)
"""Log-odds of .5 and 1, and as many ups as they say."""
PAYOFFS = Payoffs(long=Payoff(0.010, -0.008, 0.0), short=Payoff(-0.011, 0.007, 0.0))
BELIEFS = Beliefs(evidence=HONEST, payoffs=PAYOFFS, round_trip_cost=0.002)
WORTH = GateOptions(gate="expected_value")
probabilities = st.floats(0.001, 0.999)


def probability_of(score: int) -> float:
    """The probability of these log-odds in hundredths."""
    return 1 / (1 + exp(-score / 100))


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    scores = sorted(draw(st.sets(st.integers(-150, 150), min_size=2, max_size=20)))
    counts = [draw(st.integers(20, 60)) for _ in scores]
    ups = [draw(st.integers(0, count)) for count in counts]
    return Evidence(tuple(scores), tuple(counts), tuple(ups), draw(st.floats(0.1, 1)) * sum(counts))


payoffs = st.builds(
    Payoffs,
    *[st.builds(Payoff, *[st.floats(-0.05, 0.05)] * 3)] * 2,
)
beliefs = st.builds(Beliefs, evidence=evidences(), payoffs=payoffs, round_trip_cost=st.floats(0, 0.01))


@pytest.mark.parametrize(
    ("probability", "answer"),
    [(0.7, Answer.ACT), (0.3, Answer.ACT), (0.69, Answer.BELOW), (0.31, Answer.BELOW), (0.5, Answer.BELOW)],
)
def test_confidence_needs_no_evidence(probability: float, answer: Answer) -> None:
    assert judge(probability, Beliefs(), GateOptions(), closes=False) == Judgement(answer)


@given(evidences(), st.floats(0.1, 100))
def test_coverage_acts_on_at_most_its_share_of_the_past_and_no_lower_score_would_do(
    evidence: Evidence, coverage_pct: float
) -> None:
    least = coverage_score(evidence, coverage_pct)
    said = list(zip(map(abs, evidence.scores), evidence.counts, strict=True))
    surer = {score: sum(count for other, count in said if other >= score) for score, _ in said}
    allowed = evidence.count * coverage_pct / 100
    assert all(surer[score] <= allowed for score in surer if score >= least)
    assert all(surer[score] > allowed for score in surer if score < least)


@given(evidences(), st.floats(0.1, 100), probabilities)
def test_coverage_looks_at_sureness_alone_whichever_side(
    evidence: Evidence, coverage_pct: float, probability: float
) -> None:
    assume(probability != 0.5 and evidence.count >= MIN_FORECASTS)
    options, known = GateOptions(gate="coverage", coverage_pct=coverage_pct), Beliefs(evidence=evidence)
    answer = judge(probability, known, options, closes=False).answer
    assert answer is (Answer.ACT if sureness(probability) >= coverage_score(evidence, coverage_pct) else Answer.BELOW)


def test_coverage_of_everything_acts_on_everything_but_a_half() -> None:
    options = GateOptions(gate="coverage", coverage_pct=100)
    for score in HONEST.scores:
        assert judge(probability_of(score), BELIEFS, options, closes=False).answer is Answer.ACT
    assert judge(0.5, BELIEFS, options, closes=False).answer is Answer.BELOW


def test_where_all_were_equally_sure_nobody_is_among_the_surest() -> None:
    alike = Beliefs(evidence=Evidence((10,), (500,), (250,), 500.0))
    assert judge(probability_of(10), alike, GateOptions(gate="coverage"), closes=False).answer is Answer.BELOW


def test_the_expected_value_is_the_formula_s() -> None:
    probability = probability_of(100)
    least = least_precision(HONEST, 100, up=True, level=LEVEL)
    assert least is not None
    assert 0.5 < least < probability
    value = expected_value(probability, BELIEFS, level=LEVEL, closes=False)
    assert value == pytest.approx(least * 0.010 - (1 - least) * 0.008 - 0.002)
    judged = judge(probability, BELIEFS, WORTH, closes=False)
    assert judged.expected_value_bp == round(1e4 * (least * 0.018 - 0.010), 3)
    assert judged.answer is (Answer.ACT if judged.expected_value_bp > 0 else Answer.BELOW)


def test_a_forecast_is_believed_no_more_than_it_says_of_itself() -> None:
    certain = replace(BELIEFS, evidence=Evidence((-50, 50), (1000, 1000), (0, 1000), 2000.0))
    value = expected_value(0.52, certain, level=LEVEL, closes=False)
    assert value == pytest.approx(0.52 * 0.010 - 0.48 * 0.008 - 0.002)


def test_what_is_sold_short_earns_the_short_s_payoffs() -> None:
    least = least_precision(HONEST, 100, up=False, level=LEVEL)
    assert least is not None
    value = expected_value(probability_of(-100), BELIEFS, level=LEVEL, closes=False)
    assert value == pytest.approx(least * 0.007 - (1 - least) * 0.011 - 0.002)


def test_to_leave_saves_what_staying_would_lose_and_costs_nothing_more() -> None:
    least = least_precision(HONEST, 100, up=False, level=LEVEL)
    assert least is not None
    value = expected_value(probability_of(-100), BELIEFS, level=LEVEL, closes=True)
    assert value == pytest.approx(least * 0.008 - (1 - least) * 0.010)
    covered = expected_value(probability_of(100), BELIEFS, level=LEVEL, closes=True)
    assert covered == pytest.approx(least * 0.011 - (1 - least) * 0.007)


def test_a_label_that_trading_can_not_use_is_worth_what_it_is_when_it_comes_true() -> None:
    backwards = replace(BELIEFS, payoffs=Payoffs(Payoff(-0.004, 0.006, 0.0), PAYOFFS.short))
    assert expected_value(0.9, backwards, level=LEVEL, closes=False) == pytest.approx(-0.004 - 0.002)


def drifting(by: float) -> Beliefs:
    """The same trades while the market rose by so much in each, and one trade in two came true."""
    long, short = PAYOFFS.long, PAYOFFS.short
    means = (long.if_true + long.if_false) / 2, (short.if_true + short.if_false) / 2
    return replace(
        BELIEFS,
        payoffs=Payoffs(
            Payoff(long.if_true + by, long.if_false + by, means[0] + by),
            Payoff(short.if_true - by, short.if_false - by, means[1] - by),
        ),
    )


@pytest.mark.parametrize("probability", [probability_of(100), probability_of(-100)])
@pytest.mark.parametrize("closes", [False, True])
def test_what_every_trade_earned_is_no_merit_of_the_forecast_and_what_every_trade_lost_stays_lost(
    probability: float, closes: bool
) -> None:
    favours = 1 if probability > 0.5 else -1  # the drift that helps who acts on that side, entering or leaving

    def worth(by: float) -> float:
        value = expected_value(probability, drifting(favours * by), level=LEVEL, closes=closes)
        assert value is not None
        return value

    assert worth(0.03) == pytest.approx(worth(0.01))
    assert worth(-0.01) == pytest.approx(worth(-0.03) + 0.02)
    assert worth(-0.01) < worth(0.01)


@given(evidences(), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(0, 1))
def test_a_forecast_that_is_right_as_often_as_the_label_comes_true_is_worth_no_entry(
    evidence: Evidence, win: float, loss: float, share: float
) -> None:
    payoff = Payoff(win, loss, share * win + (1 - share) * loss)
    known = Beliefs(evidence=evidence, payoffs=Payoffs(payoff, payoff), round_trip_cost=0.001)
    least = least_precision(evidence, 20, up=True, level=LEVEL)
    assume(least is not None)
    assert least is not None
    assume(least <= share or win <= loss)
    value = expected_value(probability_of(20), known, level=LEVEL, closes=False)
    assert value is not None
    assert value <= -0.001 + 1e-12


@pytest.mark.parametrize(
    ("known", "gate"),
    [
        (Beliefs(), "coverage"),
        (Beliefs(payoffs=PAYOFFS), "expected_value"),
        (Beliefs(evidence=HONEST), "expected_value"),
        (Beliefs(evidence=Evidence((-90, 90), (10, 39), (1, 38), 49.0), payoffs=PAYOFFS), "coverage"),
        (Beliefs(evidence=Evidence((-90, 90), (90, 49), (1, 48), 139.0), payoffs=PAYOFFS), "expected_value"),
    ],
)
def test_without_enough_evidence_nobody_is_asked(known: Beliefs, gate: Any) -> None:
    assert judge(0.9, known, GateOptions(gate=gate), closes=False) == Judgement(Answer.NO_EVIDENCE)


@given(beliefs, probabilities, probabilities, st.booleans(), st.sampled_from([0.5, 0.9]))
def test_a_surer_forecast_of_a_side_is_never_worth_less(
    known: Beliefs, one: float, other: float, closes: bool, level: float
) -> None:
    assume((one > 0.5) == (other > 0.5))
    weak, sure = sorted((one, other), key=lambda probability: max(probability, 1 - probability))
    values = [expected_value(probability, known, level=level, closes=closes) for probability in (weak, sure)]
    assert (values[0] is None) == (values[1] is None)
    if values[0] is not None and values[1] is not None:
        assert values[0] <= values[1] + 1e-12


@given(beliefs, probabilities, st.booleans())
def test_a_lower_bound_that_is_surer_is_never_worth_more(known: Beliefs, probability: float, closes: bool) -> None:
    values = [expected_value(probability, known, level=level, closes=closes) for level in (0.99, 0.9, 0.5)]
    for strict, lax in pairwise(values):
        assert (strict is None) == (lax is None)
        assert strict is None or lax is None or strict <= lax + 1e-12


@given(beliefs, probabilities, st.floats(0, 0.01))
def test_costs_are_taken_off_an_entry_and_not_off_an_exit(known: Beliefs, probability: float, cost: float) -> None:
    free, dear = replace(known, round_trip_cost=0.0), replace(known, round_trip_cost=cost)
    entered = [expected_value(probability, one, level=LEVEL, closes=False) for one in (free, dear)]
    left = [expected_value(probability, one, level=LEVEL, closes=True) for one in (free, dear)]
    if entered[0] is not None and entered[1] is not None:
        assert entered[1] == pytest.approx(entered[0] - cost)
    assert left[0] == left[1]


@given(beliefs, probabilities, st.floats(-500, 500), st.booleans())
def test_the_gate_acts_exactly_where_the_value_it_tells_is_above_the_minimum(
    known: Beliefs, probability: float, least_bp: float, closes: bool
) -> None:
    options = GateOptions(gate="expected_value", min_expected_value_bp=least_bp)
    judged = judge(probability, known, options, closes=closes)
    if judged.expected_value_bp is None:
        assert judged.answer in (Answer.NO_EVIDENCE, Answer.BELOW)
    else:
        assert (judged.answer is Answer.ACT) == (judged.expected_value_bp > least_bp)


class Charged(TradingRules):
    """Other fees for each side."""

    def fees(self, side: Side, value: float, *, session: date, product: Product) -> float:
        assert (value, session, product) == (50_000, date(2021, 10, 1), Product.FUTURES)
        return {Side.BUY: 100.0, Side.SELL: 25.0}[side]


def test_a_round_trip_pays_both_sides_and_slips_twice() -> None:
    rules = Charged(RiskLimits(), Costs(slippage_bp=5))
    cost = round_trip_cost(rules, value=50_000, session=date(2021, 10, 1), product=Product.FUTURES)
    assert cost == pytest.approx(125 / 50_000 + 2 * 0.0005)


@pytest.mark.parametrize(("probability", "score"), [(0.5, 0), (0.7, 85), (0.3, 85), (1.0, 2072), (0.0, 2072)])
def test_sureness_is_the_log_odds_of_the_side_in_hundredths(probability: float, score: int) -> None:
    assert sureness(probability) == score


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gate", "luck"),
        ("coverage_pct", 0),
        ("coverage_pct", 100.1),
        ("min_expected_value_bp", -1001),
        ("precision_level", 0.49),
        ("precision_level", 1),
    ],
)
def test_an_option_out_of_its_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        GateOptions.model_validate({name: value})

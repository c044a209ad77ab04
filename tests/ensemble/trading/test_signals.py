import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ensemble.labels import LABELS
from ensemble.stacking.evidence import Evidence
from ensemble.trading.gate import Beliefs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.payoffs import Payoff, Payoffs
from ensemble.trading.signals import (
    Action,
    Quote,
    Reason,
    Signal,
    SignalOptions,
    Situation,
    decide_signals,
    precedence,
)

DOCS = Path(__file__).parents[3] / "docs" / "trading.md"
SESSION = date(2021, 10, 1)
LIMITS = RiskLimits(position_pct=10, max_positions=3, initial_capital=100_000)
OPTIONS = SignalOptions(min_confidence=0.7)
SYMBOLS = ("A", "B", "C", "D", "E")


def situation(**changes: Any) -> Situation:
    """100,000 in cash, nothing held, every symbol fresh at 100."""
    usual: dict[str, Any] = {
        "session": SESSION,
        "late": False,
        "cash": 100_000.0,
        "equity": 100_000.0,
        "held": {},
        "quotes": {symbol: Quote(100.0, 1) for symbol in SYMBOLS},
    }
    return Situation(**usual | changes)


def decide(
    probabilities: Mapping[str, float | None], *, limits: RiskLimits = LIMITS, **changes: Any
) -> dict[str, Signal]:
    signals = decide_signals(probabilities, situation(**changes), options=OPTIONS, limits=limits)
    return {signal.symbol: signal for signal in signals}


def test_a_confident_rise_buys_its_share_of_the_equity() -> None:
    signal = decide({"A": 0.8})["A"]
    assert signal == Signal(
        session=SESSION,
        symbol="A",
        label="open_to_close",
        action=Action.BUY,
        probability=0.8,
        confidence=0.8,
        quantity=100,
        reference_price=100.0,
        stop_loss_pct=2.0,
        take_profit_pct=4.0,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=10_000.0,
    )


def test_the_threshold_itself_is_confident_enough_in_both_directions() -> None:
    signals = decide({"A": 0.7, "B": 0.3}, held={"B": 5})
    assert signals["A"].action is Action.BUY
    assert signals["B"].action is Action.SELL


@pytest.mark.parametrize("probability", [0.31, 0.5, 0.69])
def test_too_little_confidence_holds(probability: float) -> None:
    signal = decide({"A": probability}, held={"A": 5})["A"]
    assert (signal.action, signal.reasons) == (Action.HOLD, (Reason.BELOW_CONFIDENCE,))
    assert signal.quantity == 0
    assert not signal.actionable


def test_an_even_forecast_has_no_direction_even_at_the_lowest_threshold() -> None:
    options = SignalOptions(min_confidence=0.5)
    (signal,) = decide_signals({"A": 0.5}, situation(), options=options, limits=LIMITS)
    assert signal.reasons == (Reason.BELOW_CONFIDENCE,)


def test_a_confident_fall_sells_all_that_is_held() -> None:
    signal = decide({"A": 0.1}, held={"A": 37})["A"]
    assert (signal.action, signal.quantity, signal.confidence) == (Action.SELL, 37, 0.9)
    assert signal.actionable


def test_a_confident_fall_of_what_is_not_held_holds() -> None:
    signal = decide({"A": 0.1})["A"]
    assert (signal.action, signal.reasons) == (Action.HOLD, (Reason.NOTHING_TO_SELL,))


def test_what_is_held_is_not_bought_again() -> None:
    signal = decide({"A": 0.9}, held={"A": 5})["A"]
    assert (signal.action, signal.reasons) == (Action.HOLD, (Reason.ALREADY_HELD,))


def test_the_surest_get_the_free_places_and_ties_go_by_symbol() -> None:
    signals = decide({"E": 0.75, "D": 0.8, "C": 0.8, "B": 0.8}, held={"A": 5})
    assert [symbol for symbol, signal in signals.items() if signal.action is Action.BUY] == ["B", "C"]
    assert signals["D"].reasons == signals["E"].reasons == (Reason.MAX_POSITIONS,)


def test_a_sale_of_the_same_session_frees_no_place() -> None:
    limits = LIMITS.model_copy(update={"max_positions": 1})
    signals = decide({"A": 0.1, "B": 0.9}, held={"A": 5}, limits=limits)
    assert signals["A"].action is Action.SELL
    assert signals["B"].reasons == (Reason.MAX_POSITIONS,)


def test_more_positions_than_allowed_leave_no_place() -> None:
    limits = LIMITS.model_copy(update={"max_positions": 1})
    assert decide({"A": 0.9}, held={"X": 1, "Y": 1}, limits=limits)["A"].reasons == (Reason.MAX_POSITIONS,)


def test_quantities_are_whole_lots() -> None:
    assert decide({"A": 0.9}, limits=LIMITS.model_copy(update={"lot_size": 30}))["A"].quantity == 90


def test_a_share_dearer_than_the_budget_is_not_bought_and_takes_no_place() -> None:
    limits = LIMITS.model_copy(update={"max_positions": 1})
    quotes = {"A": Quote(10_001.0, 1), "B": Quote(100.0, 1)}
    signals = decide({"A": 0.9, "B": 0.8}, quotes=quotes, limits=limits)
    assert signals["A"].reasons == (Reason.NO_CAPITAL,)
    assert signals["B"].action is Action.BUY


def test_the_cash_that_is_left_bounds_the_next_buyer() -> None:
    signals = decide({"A": 0.9, "B": 0.8, "C": 0.75}, cash=12_550.0)
    assert [signals[symbol].quantity for symbol in "ABC"] == [100, 25, 0]
    assert signals["C"].reasons == (Reason.NO_CAPITAL,)


def test_stale_bars_hold_even_what_should_be_sold() -> None:
    quotes = {"A": Quote(100.0, 2), "B": Quote(100.0, 2)}
    signals = decide({"A": 0.9, "B": 0.1}, held={"B": 5}, quotes=quotes)
    assert signals["A"].reasons == signals["B"].reasons == (Reason.STALE_DATA,)
    assert signals["B"].action is Action.HOLD


@pytest.mark.parametrize("age_sessions", [0, -1])
def test_a_quote_that_is_not_from_before_the_session_is_not_traded_on(age_sessions: int) -> None:
    assert decide({"A": 0.9}, quotes={"A": Quote(100.0, age_sessions)})["A"].reasons == (Reason.STALE_DATA,)


def test_a_symbol_without_any_bar_holds_without_a_reference_price() -> None:
    signal = decide({"A": 0.9}, quotes={})["A"]
    assert (signal.reference_price, signal.reasons) == (None, (Reason.STALE_DATA,))


def test_a_symbol_without_a_forecast_holds_and_says_so() -> None:
    signal = decide({"A": None})["A"]
    assert (signal.probability, signal.confidence, signal.action) == (None, None, Action.HOLD)
    assert signal.reasons == (Reason.NO_FORECAST,)
    assert decide({"A": None}, quotes={})["A"].reasons == (Reason.NO_FORECAST, Reason.STALE_DATA)


def test_a_late_decision_is_kept_but_not_acted_on() -> None:
    signals = decide({"A": 0.9, "B": 0.6}, late=True)
    assert (signals["A"].action, signals["A"].quantity) == (Action.BUY, 100)
    assert signals["A"].reasons == (Reason.CONFIDENT, Reason.LATE)
    assert signals["B"].reasons == (Reason.BELOW_CONFIDENCE, Reason.LATE)
    assert not any(signal.actionable for signal in signals.values())
    assert all(signal.late for signal in signals.values())


EVIDENCE = Evidence((-100, -20, 20, 100), (100, 400, 400, 100), (20, 180, 220, 80), 1000.0)
"""The surest fifth comes true in four of five, the rest in eleven of twenty."""
PAYOFFS = Payoffs(long=Payoff(0.012, -0.010, 0.0), short=Payoff(-0.012, 0.010, 0.0))
KNOWN = Beliefs(evidence=EVIDENCE, payoffs=PAYOFFS, round_trip_cost=0.003)


def by_gate(gate: str, beliefs: Beliefs, **changes: Any) -> dict[str, tuple[Action, tuple[Reason, ...]]]:
    """What becomes of a sure rise, a sure fall of what is held and one of what is not, a weak rise and none."""
    options = SignalOptions.model_validate({"gate": gate, "coverage_pct": 20} | changes)
    said = {"A": 0.75, "B": 0.25, "C": 0.25, "D": 0.55, "E": None}
    signals = decide_signals(said, situation(beliefs=beliefs, held={"B": 5}), options=options, limits=LIMITS)
    return {signal.symbol: (signal.action, signal.reasons) for signal in signals}


@pytest.mark.parametrize(
    ("gate", "yes", "no"),
    [
        ("confidence", Reason.CONFIDENT, Reason.BELOW_CONFIDENCE),
        ("coverage", Reason.AMONG_SUREST, Reason.BELOW_COVERAGE),
        ("expected_value", Reason.WORTH_ITS_COST, Reason.BELOW_EXPECTED_VALUE),
    ],
)
def test_each_gate_gives_its_own_reasons(gate: str, yes: Reason, no: Reason) -> None:
    assert by_gate(gate, KNOWN) == {
        "A": (Action.BUY, (yes,)),
        "B": (Action.SELL, (yes,)),
        "C": (Action.HOLD, (Reason.NOTHING_TO_SELL,)),
        "D": (Action.HOLD, (no,)),
        "E": (Action.HOLD, (Reason.NO_FORECAST,)),
    }


@pytest.mark.parametrize("gate", ["coverage", "expected_value"])
def test_a_gate_without_evidence_does_nothing_and_says_so(gate: str) -> None:
    found = by_gate(gate, Beliefs())
    assert {found[symbol] for symbol in "ABCD"} == {(Action.HOLD, (Reason.NO_EVIDENCE,))}


def test_the_expected_value_is_kept_where_the_gate_asks_for_it_also_when_nothing_is_done() -> None:
    for gate, asked in (("confidence", False), ("expected_value", True)):
        options = SignalOptions.model_validate({"gate": gate})
        signals = decide_signals(
            {"A": 0.75, "B": 0.55, "C": None}, situation(beliefs=KNOWN), options=options, limits=LIMITS
        )
        values = [signal.expected_value_bp for signal in signals]
        assert [value is not None for value in values] == [asked, asked, False]
        assert not asked or (values[0] or 0.0) > 0.0 > (values[1] or 0.0)


def test_members_who_disagree_enter_nothing_but_sell_what_is_held() -> None:
    apart = Beliefs(spreads={"A": 0.51, "B": 0.51, "C": 0.51, "D": 0.49})
    found = by_gate("confidence", apart, max_disagreement=0.5, min_confidence=0.55)
    assert found["A"] == (Action.HOLD, (Reason.DISAGREEMENT,))
    assert found["B"] == (Action.SELL, (Reason.CONFIDENT,))
    assert found["C"] == (Action.HOLD, (Reason.NOTHING_TO_SELL,))
    assert found["D"] == (Action.BUY, (Reason.CONFIDENT,))
    assert by_gate("confidence", apart)["A"] == (Action.BUY, (Reason.CONFIDENT,))


def test_disagreement_is_told_only_where_it_alone_holds() -> None:
    apart = Beliefs(spreads={"A": 2.0, "B": 2.0})
    options = SignalOptions(max_disagreement=0.5)
    signals = decide_signals(
        {"A": 0.9, "B": 0.6}, situation(beliefs=apart, held={"A": 5}), options=options, limits=LIMITS
    )
    assert [signal.reasons for signal in signals] == [(Reason.ALREADY_HELD,), (Reason.BELOW_CONFIDENCE,)]


FUTURES = LIMITS.model_copy(update={"product": "futures"})


def test_of_futures_members_who_disagree_open_no_short_but_cover_one() -> None:
    apart = Beliefs(spreads={"A": 2.0, "B": 2.0})
    options = SignalOptions(max_disagreement=0.5)
    signals = decide_signals(
        {"A": 0.1, "B": 0.9}, situation(beliefs=apart, held={"B": -5}), options=options, limits=FUTURES
    )
    assert [(signal.action, signal.reasons) for signal in signals] == [
        (Action.HOLD, (Reason.DISAGREEMENT,)),
        (Action.BUY, (Reason.CONFIDENT,)),
    ]


def test_a_short_is_weighed_as_a_trade_of_its_own_and_a_sale_as_the_end_of_one() -> None:
    no_good_short = Beliefs(
        evidence=EVIDENCE,
        payoffs=Payoffs(long=PAYOFFS.long, short=Payoff(-0.012, 0.001, 0.0)),
        round_trip_cost=0.003,
    )
    options = SignalOptions(gate="expected_value")
    now = situation(beliefs=no_good_short, held={"B": 5})
    signals = decide_signals({"A": 0.25, "B": 0.25}, now, options=options, limits=FUTURES)
    assert [(signal.action, signal.reasons) for signal in signals] == [
        (Action.HOLD, (Reason.BELOW_EXPECTED_VALUE,)),
        (Action.SELL, (Reason.WORTH_ITS_COST,)),
    ]
    (short,) = decide_signals({"A": 0.25}, situation(beliefs=KNOWN), options=options, limits=FUTURES)
    (flat,) = decide_signals({"A": 0.25}, situation(beliefs=KNOWN), options=options, limits=LIMITS)
    assert short.action is Action.SELL
    assert flat.reasons == (Reason.NOTHING_TO_SELL,)
    # Mirrored payoffs: leaving is worth what entering the other way is, without the costs of a trade.
    assert flat.expected_value_bp == pytest.approx((short.expected_value_bp or 0.0) + 30.0)


@pytest.mark.parametrize(("age", "stale"), [(None, False), (1, False), (2, False), (3, True)])
def test_a_model_too_old_holds_even_what_should_be_sold(age: int | None, stale: bool) -> None:
    found = by_gate("confidence", Beliefs(model_age_months=age))
    if stale:
        assert {found[symbol] for symbol in "ABCD"} == {(Action.HOLD, (Reason.STALE_MODEL,))}
        assert found["E"] == (Action.HOLD, (Reason.NO_FORECAST, Reason.STALE_MODEL))
    else:
        assert (found["A"][0], found["B"][0]) == (Action.BUY, Action.SELL)


def test_data_and_model_too_old_are_both_told() -> None:
    old = situation(quotes={"A": Quote(100.0, 2)}, beliefs=Beliefs(model_age_months=3))
    (signal,) = decide_signals({"A": 0.9}, old, options=OPTIONS, limits=LIMITS)
    assert signal.reasons == (Reason.STALE_DATA, Reason.STALE_MODEL)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_probability_outside_its_range_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="probability of A was"):
        decide({"A": probability})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_confidence", 0.49),
        ("min_confidence", 1.0),
        ("max_bar_age_sessions", 0),
        ("label", "tomorrow"),
        ("max_disagreement", 0.0),
        ("max_model_age_months", 0),
    ],
)
def test_an_option_out_of_its_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        SignalOptions.model_validate({name: value})


@pytest.mark.parametrize("label", LABELS)
def test_every_label_can_be_traded(label: str) -> None:
    options = SignalOptions.model_validate({"label": label})
    (signal,) = decide_signals({"A": 0.9}, situation(), options=options, limits=LIMITS)
    assert signal.label == label


def test_the_docs_explain_every_reason_once_and_no_other() -> None:
    table = DOCS.read_text(encoding="utf-8").split("### Every reason")[1].split("\n#")[0]
    explained = re.findall(r"^\| `([A-Z_]+)` \| .+ \| .+ \|$", table, re.MULTILINE)
    assert sorted(explained) == sorted(Reason)


# Few distinct values, so that ties are common.
forecasts = st.dictionaries(
    st.sampled_from(SYMBOLS), st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.5, 0.7, 0.8, 0.9, 1.0]))
)
all_beliefs = st.builds(
    Beliefs,
    evidence=st.sampled_from([Evidence(), EVIDENCE]),
    spreads=st.dictionaries(st.sampled_from(SYMBOLS), st.floats(0, 1)),
    model_age_months=st.one_of(st.none(), st.integers(1, 3)),
    payoffs=st.sampled_from([None, PAYOFFS]),
    round_trip_cost=st.floats(0, 0.01),
)
all_options = st.builds(
    SignalOptions,
    gate=st.sampled_from(["confidence", "coverage", "expected_value"]),
    max_disagreement=st.one_of(st.none(), st.floats(0.1, 1)),
)
situations = st.builds(
    Situation,
    session=st.just(SESSION),
    late=st.booleans(),
    cash=st.floats(0, 50_000),
    equity=st.floats(50_000, 100_000),
    held=st.dictionaries(st.sampled_from((*SYMBOLS, "X", "Y")), st.integers(1, 500), max_size=4),
    quotes=st.dictionaries(
        st.sampled_from(SYMBOLS), st.builds(Quote, st.floats(0.01, 20_000), st.integers(1, 2)), min_size=3
    ),
    beliefs=all_beliefs,
)
all_limits = st.builds(
    RiskLimits,
    position_pct=st.floats(0.1, 100),
    max_positions=st.integers(1, 5),
    lot_size=st.sampled_from([1, 10, 75]),
)


@given(forecasts, situations, all_limits, all_options, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_input_does_not_matter(
    probabilities: dict[str, float | None], now: Situation, limits: RiskLimits, options: SignalOptions, random: Any
) -> None:
    shuffled = list(probabilities.items())
    random.shuffle(shuffled)
    expected = decide_signals(probabilities, now, options=options, limits=limits)
    assert decide_signals(dict(shuffled), now, options=options, limits=limits) == expected


@given(forecasts, situations, all_limits, all_options)
@settings(deadline=None)
def test_every_symbol_gets_one_row_with_a_reason(
    probabilities: dict[str, float | None], now: Situation, limits: RiskLimits, options: SignalOptions
) -> None:
    signals = decide_signals(probabilities, now, options=options, limits=limits)
    assert [signal.symbol for signal in signals] == sorted(probabilities)
    assert all(signal.reasons for signal in signals)
    for signal in signals:
        assert (signal.quantity > 0) == (signal.action is not Action.HOLD)
        assert signal.actionable == (signal.action is not Action.HOLD and not now.late)


@given(forecasts, situations, all_limits)
@settings(deadline=None)
def test_buyers_fit_the_places_the_cash_the_size_and_the_lot(
    probabilities: dict[str, float | None], now: Situation, limits: RiskLimits
) -> None:
    signals = decide_signals(probabilities, now, options=OPTIONS, limits=limits)
    buyers = [signal for signal in signals if signal.action is Action.BUY]
    values = [signal.quantity * (signal.reference_price or 0) for signal in buyers]
    assert not buyers or len(now.held) + len(buyers) <= limits.max_positions
    assert sum(values) <= now.cash * (1 + 1e-12)
    assert all(value <= now.equity * limits.position_pct / 100 * (1 + 1e-12) for value in values)
    assert all(signal.quantity % limits.lot_size == 0 for signal in buyers)


@given(forecasts, situations, all_limits)
@settings(deadline=None)
def test_no_buyer_that_lost_its_place_was_surer_than_one_that_got_it(
    probabilities: dict[str, float | None], now: Situation, limits: RiskLimits
) -> None:
    signals = decide_signals(probabilities, now, options=OPTIONS, limits=limits)
    won = [signal for signal in signals if signal.action is Action.BUY]
    lost = [signal for signal in signals if Reason.MAX_POSITIONS in signal.reasons]
    assert all(precedence(winner) < precedence(loser) for winner in won for loser in lost)


@given(forecasts, situations, all_options, st.sampled_from([LIMITS, FUTURES]))
@settings(deadline=None)
def test_members_who_disagree_never_keep_from_leaving(
    probabilities: dict[str, float | None], now: Situation, options: SignalOptions, limits: RiskLimits
) -> None:
    held = {symbol: shares * (-1) ** place for place, (symbol, shares) in enumerate(now.held.items())}
    turned = replace(now, held=held)

    def left(options: SignalOptions) -> set[str]:
        signals = decide_signals(probabilities, turned, options=options, limits=limits)
        return {signal.symbol for signal in signals if signal.action is not Action.HOLD and signal.symbol in now.held}

    assert left(options) == left(options.model_copy(update={"max_disagreement": None}))

"""The card says what the forecasts are worth beside simple ones, and does not praise what a constant reaches."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.breakdown import break_down
from ensemble.evaluation.history import History, history_of
from ensemble.evaluation.report_card import Evidence, LabelCard, report_card
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.verdict import Verdict

SESSIONS = pd.bdate_range("2012-01-02", periods=900)
SYMBOLS = ("A", "B")
COLUMNS = ["session", "symbol", "label", "member", "probability"]


def planted(seed: int, strength: float, label: str = "gap") -> Scored:
    random = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-0.3 - strength * random.normal(size=(2, len(SESSIONS)))))
    outcome = (random.random(probability.shape) < probability).astype(np.float64)
    return Scored(label, SESSIONS, SYMBOLS, probability, outcome, 1)


def members(**said: Scored) -> pd.DataFrame:
    rows = [
        (session, symbol, one.label, name, one.probability[place, row])
        for name, one in said.items()
        for place, symbol in enumerate(SYMBOLS)
        for row, session in enumerate(SESSIONS)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def history(scored: Scored) -> History:
    volatility = np.random.default_rng(9).uniform(0.01, 0.02, scored.outcome.shape)
    return replace(history_of(scored), volatility=volatility)


def cards(labels: Mapping[str, Scored], **more: object) -> dict[str, LabelCard]:
    known = {label: history(scored) for label, scored in labels.items()}
    evidence = Evidence(histories=known, members=pd.DataFrame(columns=COLUMNS))
    return report_card(labels, replace(evidence, **more), min_confidence=0.7, draws=60)  # type: ignore[arg-type]


def card(scored: Scored, **more: object) -> LabelCard:
    return cards({scored.label: scored}, **more)[scored.label]


def test_a_strong_model_has_an_edge_over_every_simple_one() -> None:
    found = card(planted(0, 1.0))
    assert found.verdict.verdict is Verdict.EDGE
    assert [rival.name for rival in found.rivals] == [
        "always up",
        "base rate so far",
        "yesterday's sign",
        "volatility probit",
    ]
    assert max(rival.loss_p_value for rival in found.rivals[1:]) < 0.001
    assert max(rival.auc_p_value for rival in found.rivals[2:]) < 0.001
    assert found.loss_p_value == pytest.approx(found.rivals[1].loss_p_value)
    assert found.scores.log_loss_skill.low > 0


def test_the_constant_ranks_nothing_and_says_no_chance() -> None:
    always_up = card(planted(0, 1.0)).rivals[0]
    assert np.isnan([always_up.auc, always_up.log_loss, always_up.auc_p_value, always_up.loss_p_value]).all()


def test_a_member_that_does_as_well_alone_is_named() -> None:
    scored = planted(1, 0.8)
    noisy = scored.saying(np.clip(scored.probability + np.random.default_rng(2).normal(0, 0.2, (2, 900)), 0.01, 0.99))
    said = members(logit=scored, lightgbm=noisy)
    found = card(scored, members=said, simple_members=["logit", "lightgbm", "absent"])
    assert [rival.name for rival in found.rivals][4:] == ["logit", "lightgbm"]
    assert found.rivals[4].auc == pytest.approx(found.scores.fold_auc.value)
    assert found.remarks[0] == "not shown to be better than logit alone"


def test_probabilities_that_lose_to_the_base_rate_are_not_praised_for_their_ranking() -> None:
    scored = planted(3, 0.8)
    overconfident = scored.saying(1 / (1 + np.exp(-8 * np.log(scored.probability / (1 - scored.probability)))))
    found = card(overconfident)
    assert found.verdict.verdict is Verdict.EDGE
    assert found.remarks[0].startswith("as probabilities they are not shown to beat the base rate (p = ")
    assert found.calibration.p_value < 0.05


def test_the_confident_part_is_what_the_filter_lets_pass() -> None:
    scored = planted(4, 1.0)
    found = card(scored).confident
    sure = np.maximum(scored.probability, 1 - scored.probability) >= 0.7
    assert (found.threshold, found.forecasts) == (0.7, int(sure.sum()))
    assert found.coverage == pytest.approx(sure.mean())
    right = ((scored.probability > 0.5) == (scored.outcome > 0.5))[sure].mean()
    assert found.targets[0].estimate.value == pytest.approx(right)
    assert f"{sure.sum():,} forecasts are at least 0.70 sure, {100 * sure.mean():.1f} % of them" in card(scored).remarks


def test_every_label_is_judged_by_how_many_were_looked_at_and_tried() -> None:
    labels = {name: planted(5, 0.9, name) for name in ("gap", "close_to_close")}
    found = cards(labels, trials=12)
    assert {(one.verdict.labels, one.verdict.trials) for one in found.values()} == {(2, 12)}


def test_the_best_of_the_ledgers_trials_is_tested_against_the_base_rate() -> None:
    scored = planted(6, 0.5)
    random = np.random.default_rng(7)
    gains = pd.DataFrame(random.normal(0, 0.1, (300, 3)), index=SESSIONS[:300], columns=["one", "two", "three"])
    lucky = card(scored, tried={"gap": gains}).best_trial
    gains["three"] += 0.05
    real = card(scored, tried={"gap": gains}).best_trial
    assert lucky is not None
    assert real is not None
    assert (real.best, real.tried) == ("three", 3)
    assert real.p_value < 0.05 < lucky.p_value
    assert card(scored).best_trial is None


def test_trials_over_several_ranges_are_tested_together() -> None:
    scored = planted(6, 0.5)
    gains = np.random.default_rng(8).normal(0, 0.1, (300, 2))
    gains[150:, 0] += 0.03
    table = pd.DataFrame(gains, index=SESSIONS[:300], columns=["short", "long"])
    table.loc[table.index[:150], "short"] = np.nan
    found = card(scored, tried={"gap": table}).best_trial
    alone = card(scored, tried={"gap": table[["short"]].dropna()}).best_trial
    assert found is not None
    assert alone is not None
    assert (found.best, found.tried) == ("short", 2)
    assert alone.p_value < found.p_value < 2 * alone.p_value + 0.02  # the best of two


def test_the_parts_add_up_to_the_whole() -> None:
    scored = planted(8, 0.6)
    known = history(scored)
    for by, names in (
        ("symbol", ["A", "B"]),
        ("year", ["2012", "2013", "2014", "2015"]),
        ("regime", ["calm", "middling", "wild"]),
    ):
        parts = break_down(scored, known, by)  # type: ignore[arg-type]
        assert [part.name for part in parts] == names
        total = sum(part.forecasts for part in parts)
        assert total == scored.known.sum() if by != "regime" else 0 < total < scored.known.sum()
        for part in parts:
            assert part.accuracy.low < part.accuracy.value < part.accuracy.high
            assert part.log_loss < part.base_log_loss


def test_a_part_without_outcomes_is_left_out() -> None:
    scored = planted(9, 0.6)
    outcome = scored.outcome.copy()
    outcome[1] = np.nan
    assert [part.name for part in break_down(replace(scored, outcome=outcome), history(scored), "symbol")] == ["A"]

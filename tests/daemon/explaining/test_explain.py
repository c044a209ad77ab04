"""`explain` works a stored row out again from what was known then, and says so when it comes out otherwise."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.backtests.backtest import backtest
from daemon.cli import app
from daemon.errors import DaemonError
from daemon.explaining.belief import belief, chosen_record
from daemon.explaining.explain import REHEARSED, explain
from daemon.explaining.explanation import Explanation
from daemon.explaining.reasoning import why_it_speaks
from daemon.explaining.stored import Question, newest_session
from daemon.instance import only_instance
from daemon.services import Services
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.past_record import PastRecord
from storage.engine import reading, transaction

ServicesAt = Callable[..., AbstractContextManager[Services]]
AFTERWARDS = "2021-12-31 20:00"
SESSION = date(2021, 10, 4)
ASKED = Question(SESSION, "AAA.NS", "gap")


@pytest.fixture
def explained(copy: Path, services_at: ServicesAt) -> Callable[..., Explanation]:
    """explained(question, "UPDATE ..."): what is said after these changes of the database."""

    def of(asked: Question = ASKED, *statements: str) -> Explanation:
        with services_at(copy, AFTERWARDS) as services:
            with transaction(services.engine) as conn:
                for statement in statements:
                    assert conn.execute(text(statement)).rowcount > 0
            return explain(services, asked)

    return of


@pytest.fixture(scope="module")
def newest(lived: Path, services_at: ServicesAt) -> Explanation:
    """That of the newest session."""
    with services_at(lived, AFTERWARDS) as services:
        with reading(services.engine) as conn:
            session = newest_session(conn, "live")
        assert session is not None
        return explain(services, Question(session, "AAA.NS", services.settings.signals.label))


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("symbol", "label"), [("AAA.NS", "gap"), ("AAA.NS", "barrier"), ("BBB.NS", "open_to_close")])
def test_what_was_lived_through_comes_out_again_to_the_bit(
    symbol: str, label: str, lived: Path, services_at: ServicesAt
) -> None:
    with services_at(lived, AFTERWARDS) as services:
        one = explain(services, Question(SESSION, symbol, label))
    assert one.forecast is not None
    assert one.reasoning is not None
    assert one.reasoning.agreement.is_equal, one.reasoning.agreement.differences
    assert one.reasoning.agreement.basis == "the bars and settings of then"
    assert one.reasoning.agreement.other_code == ""
    for voice in one.reasoning.members:
        assert round(1 / (1 + math.exp(-voice.log_odds)), 6) == round(voice.probability, 6)
        assert math.isclose(
            voice.base + sum(share.log_odds for share in voice.features) + voice.unexplained, voice.log_odds
        )
    assert one.reasoning.combined.after_calibration == one.forecast.probability
    assert (one.reasoning.rules is not None) == (one.signal is not None) == (symbol == "AAA.NS" and label == "gap")


def test_bars_that_came_later_change_nothing(copy: Path, services_at: ServicesAt) -> None:
    later = (
        "INSERT INTO bars SELECT symbol, session, '2021-12-30T00:00:00Z', NULL, provider, open, high, low, close * 1.01"
    )
    later += ", adj_close * 1.01, volume, NULL FROM bars WHERE symbol = 'ETF' AND session = '2021-10-01'"
    end = "UPDATE bars SET superseded_at = '2021-12-30T00:00:00Z' WHERE symbol = 'ETF' AND session = '2021-10-01'"
    with services_at(copy, AFTERWARDS) as services:
        before = explain(services, ASKED)
        with transaction(services.engine) as conn:
            for statement in (end, later):
                assert conn.execute(text(statement)).rowcount == 1
        assert explain(services, ASKED) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE forecasts SET probability = 0.123", "probability is 0.123000000 in the store"),
        ("UPDATE member_forecasts SET probability = 0.5 WHERE member = 'logit'", "probability of logit is 0.500000000"),
        ("UPDATE forecasts SET data_digest = 'other'", "data_digest is other in the store"),
        ("UPDATE signals SET action = 'HOLD', quantity = 0", "signal's action is HOLD in the store"),
    ],
)
def test_what_comes_out_otherwise_is_named(change: str, named: str, explained: Callable[..., Explanation]) -> None:
    one = explained(ASKED, change)
    assert one.reasoning is not None
    assert not one.reasoning.agreement.is_equal
    assert any(named in difference for difference in one.reasoning.agreement.differences)


def test_a_run_of_other_code_is_said_to_be_one(explained: Callable[..., Explanation]) -> None:
    one = explained(ASKED, "UPDATE runs SET code_version = 'older'")
    assert one.reasoning is not None
    assert one.reasoning.agreement.other_code == "older"


def test_without_the_model_the_stored_row_is_shown_and_why_no_more(copy: Path, services_at: ServicesAt) -> None:
    shutil.rmtree(copy / "state" / "models")
    with services_at(copy, AFTERWARDS) as services:
        one = explain(services, ASKED)
    assert one.reasoning is None
    assert "model" in one.unexplained
    assert set(one.member_probabilities) == {"small", "logit", "lightgbm"}
    said = run(copy, "explain", f"{SESSION}")
    assert "Not worked out again: " in said
    assert "Believe it?" in said


def test_a_past_record_knows_nothing_of_the_session_and_what_followed(explained: Callable[..., Explanation]) -> None:
    before = explained(ASKED, "UPDATE forecasts SET probability = 0.62")  # then all are as sure
    after = explained(ASKED, f"UPDATE outcomes SET outcome = 1 - outcome WHERE session >= '{SESSION}'")
    assert before.past == after.past
    assert before.outcome != after.outcome
    assert before.past["live, all stocks"].forecasts == 8
    changed = explained(ASKED, f"UPDATE outcomes SET outcome = 1 - outcome WHERE session < '{SESSION}'")
    assert changed.past != before.past


def test_what_is_held_out_is_not_told(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text() + "\n[evaluation]\nholdout_from = 2021-09-29\n")
    with services_at(copy, AFTERWARDS) as services:
        one = explain(services, ASKED)
    assert one.outcome is None
    assert one.held_out
    assert REHEARSED not in one.past
    assert max((record.forecasts for record in one.past.values()), default=0) <= 2  # of the session before
    assert "held out" in belief(replace(one, past={}))


@pytest.mark.slow
def test_a_replayed_row_is_explained_by_the_settings_of_now(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, AFTERWARDS) as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 5))
        one = explain(services, Question(SESSION, "AAA.NS", "gap", "backtest"))
    assert one.reasoning is not None
    assert one.reasoning.agreement.is_equal, one.reasoning.agreement.differences
    assert "those of then are not kept" in one.reasoning.agreement.basis


def test_what_was_configured_to_speak_is_said_to_be_so() -> None:
    verdict = {"sessions": 60, "loss": 0.68, "incumbent_loss": 0.69, "p_value": 0.1, "adjusted_p_value": 0.4}
    none = {"combine": "mean", "methods": {"gap": "mean"}, "verdicts": {"gap": {}}}
    assert why_it_speaks(none, "gap") == "mean speaks (as configured; too little history to judge challengers by)"
    some = none | {"combine": "auto", "verdicts": {"gap": {"ridge": verdict}}}
    assert why_it_speaks(some, "gap").startswith("mean speaks (best challenger ridge: log loss 0.6800, ")


def record(forecasts: int, right: tuple[float, float, float], commoner_side: float) -> PastRecord:
    return PastRecord(forecasts, forecasts, 0.7, Estimate(*right), commoner_side)


@pytest.mark.parametrize(
    ("past", "said"),
    [
        ({"live": record(40, (0.8, 0.7, 0.9), 0.6)}, "More than luck"),
        ({"live": record(40, (0.4, 0.3, 0.5), 0.6)}, "do not believe it"),
        ({"live": record(40, (0.6, 0.5, 0.7), 0.6)}, "no more than can be luck"),
        ({"live": record(3, (1.0, 0.4, 1.0), 0.6)}, "So few cannot be told"),
        ({"live": record(0, (math.nan, math.nan, math.nan), math.nan)}, "Nobody knows"),
        ({}, "Nobody knows"),
    ],
)
def test_what_a_forecast_is_worth_is_said_beside_what_needs_no_skill(
    past: dict[str, PastRecord], said: str, newest: Explanation
) -> None:
    assert said in belief(replace(newest, past=past))


def test_the_closest_record_with_enough_forecasts_speaks_else_the_largest() -> None:
    few, more, enough = (record(count, (0.6, 0.5, 0.7), 0.6) for count in (5, 9, 30))
    assert chosen_record({"own": few, "all": enough, "rehearsal": enough}) == "all"
    assert chosen_record({"own": few, "all": more}) == "all"
    assert chosen_record({}) is None


def test_without_a_forecast_the_signal_is_shown_and_nothing_is_taken_apart(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, AFTERWARDS) as services:
        with transaction(services.engine) as conn:
            for table in ("forecasts", "member_forecasts"):
                conn.execute(text(f"DELETE FROM {table} WHERE session = '{SESSION}'"))
        one = explain(services, ASKED)
    assert (one.forecast, one.reasoning, one.past) == (None, None, {})
    assert "nothing was forecast" in run(copy, "explain", f"{SESSION}")


def test_the_newest_is_found(newest: Explanation, lived: Path, services_at: ServicesAt) -> None:
    assert (newest.session, newest.label) == (date(2021, 10, 5), "gap")
    with services_at(lived, AFTERWARDS) as services, reading(services.engine) as conn:
        assert newest_session(conn, "backtest") is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Question(date(2021, 8, 15), "AAA.NS", "gap"), "sessions from 2021-09-28 to 2021-10-05 are"),
        (Question(SESSION, "CCC.NS", "gap"), "there is of AAA.NS, BBB.NS"),
        (Question(SESSION, "AAA.NS", "gap", "backtest"), "there is of no symbol at all"),
    ],
)
def test_what_is_not_stored_is_said_with_what_is(
    asked: Question, told: str, lived: Path, services_at: ServicesAt
) -> None:
    with services_at(lived, AFTERWARDS) as services, pytest.raises(DaemonError, match=told):
        explain(services, asked)


def test_it_works_while_the_daemon_does_and_answers_in_lines(lived: Path) -> None:
    with only_instance(lived / "state"):
        said = run(lived, "explain", "newest", "--features", "3")
    lines = said.splitlines()
    assert lines[0].startswith("AAA.NS, Tuesday 2021-10-05, gap (live, decided 2021-10-05 08:50 Asia/Kolkata)")
    heads = [line.split("  ")[1].strip() for line in lines[1:7]]
    assert heads == ["What", "Why", "Moved by", "Believe it?", "Same again?", "Outcome"]
    assert "Yes, every number and the decision" in said
    assert "Features, the 3 of " in said


def test_json_has_every_feature_of_every_member(lived: Path) -> None:
    (one,) = json.loads(run(lived, "explain", f"{SESSION}", "AAA.NS", "--json"))
    members: Sequence[dict[str, object]] = one["reasoning"]["members"]
    drivers = {share["feature"] for share in one["reasoning"]["drivers"]}
    assert len(drivers) > 50
    for member in members:
        shares = member["features"]
        assert isinstance(shares, list)
        assert {share["feature"] for share in shares} == drivers


def test_a_session_that_is_no_date_is_a_wrong_usage(lived: Path) -> None:
    result = CliRunner().invoke(app, ["--config", str(lived / "config.toml"), "explain", "yesterday"])
    assert result.exit_code == 2

"""What the sections show is what the database holds; where it holds nothing, a line says what will fill it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.evaluating.evaluation import Question, gather
from daemon.report.candles import candles
from daemon.report.equity import ACCOUNT, equity
from daemon.report.material import Asked, Material, read_material
from daemon.report.page import render
from daemon.report.parts import Candles, Card, Chart, Line, Section, Table
from daemon.report.sections import sections
from daemon.report.today import CARDS, today
from daemon.report.words import ACTIONS, EXITS, QUESTIONS, REASONS
from daemon.services import Services
from ensemble.evaluation.buy_and_hold import hold_returns
from ensemble.fills import ExitReason
from ensemble.labels import Label
from ensemble.trading.signals import Action, Reason
from storage.model_store import ModelStore

ServicesAt = Callable[..., AbstractContextManager[Services]]


def section(material: Material, key: str) -> Section:
    return next(one for one in sections(material) if one.key == key)


def rows(folder: Path, services_at: ServicesAt, sql: str) -> list[Any]:
    with services_at(folder, "2021-10-05 18:00") as services, services.engine.connect() as conn:
        return list(conn.execute(text(sql)))


def trace(chart: Chart | Any, name: str) -> dict[str, Any]:
    return next(dict(one) for one in chart.figure["data"] if one.get("name") == name)


def test_every_word_of_the_database_has_a_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert set(ACTIONS) == set(Action)
    assert set(EXITS) == set(ExitReason)
    assert set(QUESTIONS) == set(get_args(Label))


def test_before_anything_is_done_each_section_says_in_a_line_what_will_fill_it(nothing: Material) -> None:
    found = sections(nothing)
    assert not any(one.charts for one in found)
    assert all(any(isinstance(part, Line) for part in one.parts) for one in found)
    told = " ".join(part.text for one in found for part in one.parts if isinstance(part, Line))
    assert "`reliance-daemon run-once`" in told
    assert "`reliance-daemon backtest --from DATE --to DATE`" in told


def test_every_section_has_a_meaning_and_a_key_of_its_own(material: Material) -> None:
    found = sections(material)
    assert len({one.key for one in found}) == len(found)
    assert all(one.meaning.endswith(".") for one in found)
    keys = [chart.key for one in found for chart in one.charts]
    assert len(set(keys)) == len(keys)


def test_the_newest_signal_is_shown_with_each_reason_in_words(
    material: Material, replayed: Path, services_at: ServicesAt
) -> None:
    ((session, symbol, action),) = rows(replayed, services_at, "SELECT session, symbol, action FROM v_latest_signals")
    (card,) = [part for part in today(material).parts if isinstance(part, Card)]
    assert (card.title, card.word) == (f"{symbol}, session {session}", action)
    assert card.sentences[0] == ACTIONS[action]
    assert set(card.sentences[1:]) <= set(REASONS.values())


def test_buy_and_hold_is_none_the_poorer_for_a_demerger(
    material: Material, replayed: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(replayed, tmp_path / "demerged"))
    carve_out(folder, "2021-09-16", 0.75)
    with services_at(folder, "2021-10-05 18:00") as services:
        found = read_material(services, Asked())
        asked = Question(date(2021, 9, 1), date(2021, 10, 5))
        evaluated = gather(services.engine, services.settings, asked, now=services.clock.now())
    days = list(pd.bdate_range("2021-09-01", "2021-10-05").date)
    expected = hold_returns({"AAA.NS": material.bars["AAA.NS"]}, days, material.settings.rules)
    for bars in (found.bars, evaluated.bars):
        assert bars["AAA.NS"]["close"].pct_change()["2021-09-16"] < -0.2
        held = hold_returns({"AAA.NS": bars["AAA.NS"]}, days, material.settings.rules)
        np.testing.assert_allclose(held, expected, rtol=0, atol=1e-9)


def carve_out(folder: Path, session: str, left: float) -> None:
    """So much of AAA.NS is left from that session on, as stored, and as a table of demergers says."""
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("[market]\n", '[market]\ndemergers = "own.csv"\n'))
    row = f"AAA.NS,{session},{100 * (1 - left)},100"
    (folder / "own.csv").write_text(f"symbol,session,value,close_before\n{row}\n")
    prices = ", ".join(f"{name} = {left} * {name}" for name in ("open", "high", "low", "close", "adj_close"))
    with closing(sqlite3.connect(folder / "state" / "signals.db")) as database, database:
        database.execute(f"UPDATE bars SET {prices} WHERE symbol = 'AAA.NS' AND session >= '{session}'")


def test_the_accuracy_is_that_of_the_view_and_stands_beside_n_and_a_constant(
    material: Material, replayed: Path, services_at: ServicesAt
) -> None:
    kept = rows(replayed, services_at, "SELECT label, resolved, accuracy, base_rate FROM v_live_accuracy")
    (table,) = [part for part in section(material, "accuracy-live").parts if isinstance(part, Table)]
    shown = {row[0]: row for row in table.rows if row[1] == "all 2"}
    for label, resolved, accuracy, base_rate in kept:
        row = shown[QUESTIONS[label]]
        assert (row[2], row[3], row[6]) == (f"{resolved}", f"{100 * accuracy:.1f} %", f"{100 * base_rate:.1f} %")
        assert " to " in row[4]


def test_the_gain_is_that_of_the_account_and_its_drawdown_that_of_the_view(
    material: Material, replayed: Path, services_at: ServicesAt
) -> None:
    sql = "SELECT equity, drawdown_pct FROM v_equity WHERE origin = 'backtest' ORDER BY session"
    marks = rows(replayed, services_at, sql)
    chart = section(material, "equity-backtest").parts[0]
    assert isinstance(chart, Chart)
    gain = trace(chart, ACCOUNT)["y"]
    capital = material.settings.risk.initial_capital
    assert gain == pytest.approx([100 * (equity / capital - 1) for equity, _ in marks], abs=1e-3)
    below = next(one for one in chart.figure["data"] if one.get("yaxis") == "y2")["y"]
    assert below == pytest.approx([-drawdown for _, drawdown in marks], abs=1e-3)


def test_live_and_backtest_stand_in_no_section_together(material: Material) -> None:
    live, backtest = ([one for one in sections(material) if one.whose == whose] for whose in ("live", "backtest"))
    assert {one.key.removesuffix("-backtest") for one in backtest} <= {one.key.removesuffix("-live") for one in live}
    shown = material.live.said["session"], material.backtest.said["session"]
    assert shown[1].max() < shown[0].min()


def test_candles_show_the_bars_each_forecast_and_what_came_of_it(material: Material) -> None:
    (view,) = [part for part in candles(material).parts if isinstance(part, Candles)]
    assert [choice.name for choice in view.choices] == ["AAA.NS, live", "AAA.NS, backtest"]
    figure = view.choices[0].figure
    assert len(figure["shared"]["x"]) == len(material.bars["AAA.NS"].index)
    assert all(len(figure["shared"][name]) == len(figure["shared"]["x"]) for name in ("open", "close", "volume"))
    strip = {one["name"]: one["x"] for one in figure["data"] if one.get("yaxis") == "y2"}
    said = material.live.said.query("symbol == 'AAA.NS' and label == 'gap'")
    assert sum(map(len, strip.values())) == len(said)
    right = said[(said["probability"] > 0.5) == (said["outcome"] > 0.5)]["session"]
    assert strip.get("came true", []) == [f"{one:%Y-%m-%d}" for one in right]


def test_a_position_that_was_entered_before_the_first_bar_in_sight_adds_no_session(
    replayed: Path, services_at: ServicesAt
) -> None:
    with services_at(replayed, "2021-10-05 18:00") as services:
        every = read_material(services, Asked())
        trade = next(one for one in every.backtest.trades if one.exit_session > one.entry_session)
        asked = Asked(first=trade.exit_session)
        late = read_material(services, asked)
    (view,) = [part for part in candles(late).parts if isinstance(part, Candles)]
    figure = view.choices[1].figure
    shown = {x for one in figure["data"] if isinstance(one["x"], list) for x in one["x"] if x}
    assert f"{trade.exit_session}" in shown
    assert shown <= set(figure["shared"]["x"])


def test_more_bars_than_the_file_has_room_for_are_left_out_and_counted(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.report.candles.MOST_BARS", 10)
    view, line = candles(material).parts
    assert isinstance(view, Candles)
    assert isinstance(line, Line)
    assert len(view.choices) == 1
    assert line.text.startswith("1 more figure would make the file too large")


def test_what_is_held_out_is_shown_nowhere(replayed: Path, services_at: ServicesAt) -> None:
    with services_at(replayed, "2021-10-05 18:00") as services:
        held_out = services.settings.evaluation.model_copy(update={"holdout_from": date(2021, 9, 15)})
        settings = services.settings.model_copy(update={"evaluation": held_out})
        seen = read_material(replace(services, settings=settings), Asked())
    assert seen.backtest.said["session"].max() < pd.Timestamp("2021-09-15")
    assert seen.backtest.path is not None
    assert max(seen.backtest.path.sessions) < date(2021, 9, 15)
    assert all(trade.exit_session < date(2021, 9, 15) for trade in seen.backtest.trades)
    assert seen.live.said.empty
    assert seen.live.labels == {}
    (line,) = [part for part in section(seen, "reliability-live").parts if isinstance(part, Line)]
    assert "held out" in line.text
    rate = seen.base_rates["AAA.NS", "gap"]
    assert rate.outcomes == seen.backtest.said["session"].nunique()


def test_what_left_in_the_session_that_it_came_in_was_invested_too(material: Material) -> None:
    path = material.backtest.path
    assert path is not None
    assert path.trades
    first = path.trades[0]
    within = replace(first, entry_session=first.exit_session)
    empty = [replace(mark, exposure=0.0) for mark in path.marks]
    shown = []
    for trades in ([within], []):
        chart = equity(material, replace(material.backtest, path=replace(path, marks=empty, trades=trades))).parts[0]
        assert isinstance(chart, Chart)
        shown.append(set(trace(chart, "hold, as much invested")["y"]))
    assert shown[0] != shown[1] == {0.0}


def test_an_account_without_bars_stands_beside_one_that_stays_as_it_is(material: Material) -> None:
    without = replace(material, bars={symbol: bars.iloc[:0] for symbol, bars in material.bars.items()})
    chart = equity(without, without.backtest).parts[0]
    assert isinstance(chart, Chart)
    assert set(trace(chart, "buy and hold")["y"]) == {0.0}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(symbol="ETF"), r'--symbol was "ETF"; it must be traded or a peer: AAA\.NS, BBB\.NS\.'),
        (Asked(first=date(2021, 10, 6)), r"--from was 2021-10-06; it must not come after --to, 2021-10-05\."),
    ],
)
def test_what_can_not_be_shown_is_refused_in_a_line(
    asked: Asked, message: str, replayed: Path, services_at: ServicesAt
) -> None:
    with services_at(replayed, "2021-10-05 18:00") as services, pytest.raises(DaemonError, match=message):
        read_material(services, asked)


def test_a_peer_has_its_candles_and_forecasts_and_changes_nothing_of_the_account(
    replayed: Path, material: Material, services_at: ServicesAt
) -> None:
    with services_at(replayed, "2021-10-05 18:00") as services:
        peer = read_material(services, Asked(symbol="BBB.NS"))
    (view,) = [part for part in candles(peer).parts if isinstance(part, Candles)]
    assert {choice.name for choice in view.choices} == {"BBB.NS, live", "BBB.NS, backtest"}
    assert {row[0] for part in today(peer).parts if isinstance(part, Table) for row in part.rows} == {"BBB.NS"}
    for record in (peer.live, peer.backtest):
        assert equity(peer, record).parts[-1] == equity(material, record).parts[-1]


def test_by_default_it_looks_back_as_far_as_is_configured(material: Material) -> None:
    assert Settings().report.first(date(2021, 10, 5)) == date(2018, 10, 5)
    assert (material.span.first, material.span.last) == (date(2018, 10, 5), date(2021, 10, 5))


def test_the_parts_of_the_newest_forecast_add_up_to_how_far_it_is_from_an_ordinary_day(material: Material) -> None:
    (explained,) = material.explained
    assert explained.reasoning is not None
    chart = next(part for part in section(material, "contributions").parts if isinstance(part, Chart))
    shown = sum(x for one in chart.figure["data"] for x in one["x"])
    assert shown == pytest.approx(sum(one.log_odds for one in explained.reasoning.drivers), abs=1e-3)
    assert chart.data.rows[0][0] == explained.reasoning.drivers[0].feature
    told = [part.text for part in section(material, "contributions").parts if isinstance(part, Line)]
    assert len(told) == 1
    assert told[0].startswith(f'{explained.symbol}, {explained.session}: "{QUESTIONS[explained.label]}"')


def test_what_can_not_be_taken_apart_is_told_with_its_reason_and_the_page_goes_on(
    replayed: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    with services_at(replayed, "2021-10-05 18:00") as services:
        without = replace(services, models=ModelStore(tmp_path / "none", read_only=True))
        bare = read_material(without, Asked())
    (line,) = section(bare, "contributions").parts
    assert isinstance(line, Line)
    assert "it can't be taken apart: model" in line.text
    (line,) = section(bare, "training").parts
    assert isinstance(line, Line)
    assert "so there are no curves" in line.text


def test_a_trade_before_a_split_stands_where_its_bars_stand_now(material: Material) -> None:
    bars = material.bars["AAA.NS"]
    prices = ["open", "high", "low", "close", "adj_close"]
    halved = replace(material, bars={"AAA.NS": bars.assign(**{name: bars[name] / 2 for name in prices})})
    before, after = (
        trace(part.choices[1], "entry")["y"]
        for one in (material, halved)
        for part in candles(one).parts
        if isinstance(part, Candles)
    )
    assert len(before) > 0
    assert after == pytest.approx([price / 2 for price in before], abs=0.01)


def test_of_many_symbols_those_that_are_acted_on_get_a_card_and_the_others_a_line(material: Material) -> None:
    (row,) = material.signals
    many = [{**row, "symbol": f"S{place}"} for place in range(CARDS + 2)]
    parts = today(replace(material, signals=many)).parts
    assert [part.title.split(",")[0] for part in parts if isinstance(part, Card)] == [f"S{n}" for n in range(CARDS)]
    others = next(part for part in parts if isinstance(part, Table))
    assert [one[0] for one in others.rows] == [f"S{CARDS}", f"S{CARDS + 1}"]


def test_what_was_decided_too_late_is_nothing_to_do(material: Material) -> None:
    (row,) = material.signals
    order = {"action": "BUY", "quantity": 10, "value_limit": 1000.0, "reference_price": 100.0}
    missed = replace(material, signals=[{**row, **order, "late": 1, "actionable": 0}])
    (card,) = [part for part in today(missed).parts if isinstance(part, Card)]
    assert (card.word, card.sentences[0]) == ("LATE", "Do nothing; in time it would have been BUY.")
    page = render(missed, sections(missed))
    assert f"For {row['session']}: decided too late to be traded" in page
    in_time = replace(material, signals=[{**row, **order, "late": 0, "actionable": 1}])
    assert f"For {row['session']}: BUY {row['symbol']}" in render(in_time, sections(in_time))


@pytest.mark.parametrize(
    ("action", "limit", "said"),
    [("BUY", 1000.0, "98.00, 104.00"), ("SELL", 1000.0, "102.00, 96.00"), ("BUY", None, None), ("SELL", None, None)],
)
def test_what_opens_a_position_stands_with_its_stop_and_target_and_nothing_else_does(
    material: Material, action: str, limit: float | None, said: str | None
) -> None:
    order = {"action": action, "quantity": 10, "value_limit": limit, "reference_price": 100.0}
    limits = {"stop_loss_pct": 2.0, "take_profit_pct": 4.0, "late": 0, "actionable": 1}
    parts = today(replace(material, signals=[{**material.signals[0], **order, **limits}])).parts
    (card,) = [part for part in parts if isinstance(part, Card)]
    assert [fact.value for fact in card.facts if fact.name == "Stop, target"] == ([] if said is None else [said])


def test_of_one_symbol_among_several_the_account_is_said_to_be_that_of_all(material: Material) -> None:
    market = material.settings.market.model_copy(update={"symbols": ("AAA.NS", "BBB.NS")})
    one = replace(material, settings=material.settings.model_copy(update={"market": market}))
    line = equity(one, one.backtest).parts[0]
    assert isinstance(line, Line)
    assert line.text == "The account is that of all traded symbols."
    (table,) = [part for part in section(one, "accuracy-backtest").parts if isinstance(part, Table)]
    assert {row[1] for row in table.rows} == {"AAA.NS"}

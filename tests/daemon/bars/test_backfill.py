"""Histories come in a symbol at a time, stay when the rest is interrupted, and go out as files that can come in."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

from daemon.bars.backfill import backfill, import_bars
from daemon.bars.export_bars import export_bars
from daemon.bars.incoming import of_another_provider
from daemon.bars.ingest import ingest
from daemon.cli import app
from daemon.clock import FixedClock
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from storage.action_store import read_actions
from storage.bar_store import newest_of, read_bars, write_bars
from storage.engine import open_store, reading, transaction
from storage.feed_store import read_feed_state
from storage.feeds import Feed, FeedError, History
from storage.feeds.write_files import Form

ServicesAt = Callable[..., AbstractContextManager[Services]]
EVENING = "2021-10-05 18:00"
SYMBOLS = ["AAA.NS", "BBB.NS", "ETF", "^INDEX"]


@dataclass
class Witnessed:
    """A feed that notes what it is asked, and fails or ends where it is told to."""

    feed: Feed
    broken: str = ""
    last: str = ""
    """The symbol at which the machine is switched off."""
    name: str = "files"
    on_network: bool = False
    asked: list[tuple[str, date]] = field(default_factory=list)

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        self.asked += [(symbol, first) for symbol in symbols]
        if self.last in symbols:
            raise KeyboardInterrupt
        if self.broken in symbols:
            return {symbol: FeedError(f"{symbol} is broken.") for symbol in symbols}
        return self.feed.fetch(symbols, first=first, last=last)


@pytest.fixture
def services(tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt) -> Iterator[Services]:
    with services_at(write_installation(tmp_path / "installation"), EVENING) as opened:
        yield opened


def stored(services: Services) -> dict[str, pd.DataFrame]:
    with reading(services.engine) as conn:
        return {symbol: bars for symbol, bars in read_bars(conn, SYMBOLS).items() if len(bars)}


def test_every_configured_symbol_gets_its_whole_history(services: Services) -> None:
    done = backfill(services)
    assert [one.symbol for one in done.filled] == ["AAA.NS", "BBB.NS", "ETF", "^INDEX"]
    assert {symbol: len(bars) for symbol, bars in stored(services).items()} == {
        one.symbol: one.added for one in done.filled
    }
    assert min(bars.index[0] for bars in stored(services).values()) == pd.Timestamp("2018-01-01")


def test_what_is_interrupted_keeps_the_symbols_that_were_done_and_goes_on_with_the_others(services: Services) -> None:
    feed = Witnessed(services.feed, last="ETF")
    with pytest.raises(KeyboardInterrupt):
        backfill(replace(services, feed=feed))
    assert set(stored(services)) == {"AAA.NS", "BBB.NS"}
    feed = Witnessed(services.feed)
    done = backfill(replace(services, feed=feed))
    assert [symbol for symbol, _ in feed.asked] == ["ETF", "^INDEX"]
    assert done.had_bars == ("AAA.NS", "BBB.NS")
    assert set(stored(services)) == set(SYMBOLS)


@pytest.mark.parametrize("broken", ["AAA.NS", "ETF"])
def test_a_symbol_that_fails_is_told_and_stops_no_other(services: Services, broken: str) -> None:
    done = backfill(replace(services, feed=Witnessed(services.feed, broken=broken)))
    assert [(one.symbol, one.failure) for one in done.failed] == [(broken, f"{broken} is broken.")]
    assert set(stored(services)) == set(SYMBOLS) - {broken}
    assert backfill(services).failed == ()
    assert set(stored(services)) == set(SYMBOLS)


def test_bars_come_in_as_from_the_daily_reading(services: Services, services_at: ServicesAt, lived: Path) -> None:
    backfill(services)
    with services_at(lived, EVENING) as daily:
        for symbol, bars in stored(daily).items():
            assert_frame_equal(bars, stored(services)[symbol].loc[: bars.index[-1]], check_freq=False)


def test_a_symbol_that_is_not_configured_is_refused(services: Services) -> None:
    with pytest.raises(DaemonError, match=r"ZZZ\.NS stands nowhere in \[market\]"):
        backfill(services, ["ZZZ.NS"])


def test_only_the_symbols_that_are_asked_for_are_read(services: Services) -> None:
    assert [one.symbol for one in backfill(services, ["ETF"]).filled] == ["ETF"]


def test_progress_is_shown_symbol_by_symbol(services: Services) -> None:
    seen: list[object] = []

    def progress(items: Iterable[str], *, total: int, label: str) -> Iterator[str]:
        seen.append((total, label))
        yield from items

    backfill(replace(services, progress=progress))  # type: ignore[arg-type]  # of symbols alone
    assert seen == [(4, "histories")]


def random_bars(count: int) -> pd.DataFrame:
    """Prices with all the digits that a number may have."""
    random = np.random.default_rng(1)
    days = pd.date_range("2018-01-01", periods=count, freq="B", name="session", unit="us")
    close = np.exp(random.normal(0, 3, count))
    columns = {"open": close * 1.01, "high": close * 1.1, "low": close / 1.3, "close": close, "adj_close": close / 3}
    return pd.DataFrame(columns | {"volume": random.integers(1, 10**9, count).astype(np.float64)}, index=days)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_was_written_as_files_comes_in_again_to_the_last_digit(
    services: Services, tmp_path: Path, form: Form
) -> None:
    bars = random_bars(500)
    context = bars.assign(open=np.nan, high=np.nan, low=np.nan, volume=np.nan)
    with transaction(services.engine) as conn:
        write_bars(conn, "AAA.NS", bars, seen_at=services.clock.now(), provider="files")
        write_bars(conn, "ETF", context, seen_at=services.clock.now(), provider="files")
    assert dict(export_bars(services.engine, tmp_path / "out", form=form)) == {"AAA.NS": 500, "ETF": 500}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"AAA.NS.{form}", f"ETF.{form}"]
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    relaxed = services.settings.bars.model_copy(update={"max_move_pct": 1e9, "max_context_move_pct": 1e9})
    settings = services.settings.model_copy(update={"bars": relaxed})
    again = replace(services, engine=other, settings=settings)
    home = set(again.settings.calendar.load("XNSE", first=date(2018, 1, 1), last=date(2020, 12, 31)).sessions)
    assert import_bars(again, tmp_path / "out").failed == ()
    there = stored(again)
    other.dispose()
    expected = bars[[day in home for day in bars.index]]
    assert_frame_equal(there["AAA.NS"], expected, check_exact=True, check_freq=False)
    assert_frame_equal(there["ETF"], context, check_exact=True, check_freq=False)


def test_bars_are_written_as_they_were_known(services: Services, tmp_path: Path) -> None:
    bars, seen = random_bars(10), datetime(2021, 10, 1, tzinfo=UTC)
    with transaction(services.engine) as conn:
        write_bars(conn, "AAA.NS", bars, seen_at=seen, provider="files")
        write_bars(conn, "AAA.NS", bars * 2, seen_at=seen + timedelta(days=3), provider="files")
    for known_at, factor in ((seen, 1), (None, 2)):
        list(export_bars(services.engine, tmp_path, ["AAA.NS"], known_at=known_at))
        closes = pd.read_csv(tmp_path / "AAA.NS.csv")["Close"]
        assert (closes == bars["close"].to_numpy() * factor).all()


def test_a_symbol_without_bars_and_a_folder_that_is_a_file_are_told(services: Services, tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match=r"AAA\.NS has no stored bar; `backfill` or `import` brings its history"):
        list(export_bars(services.engine, tmp_path, ["AAA.NS"]))
    backfill(services, ["AAA.NS"])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DaemonError, match=r"file cannot be written: .*; choose another folder"):
        list(export_bars(services.engine, tmp_path / "file"))


def test_each_command_that_shows_bars_says_that_a_symbol_has_none(
    tmp_path: Path, write_installation: Callable[[Path], Path]
) -> None:
    folder = write_installation(tmp_path / "installation")
    assert invoke(folder, "backfill", "AAA.NS", "--now", "2021-10-05T12:30:00Z")[0] == 0
    line = "NONE.NS has no stored bar; `backfill` or `import` brings its history."
    for words in (["show"], ["as-of", "2021-10-05"], ["actions"], ["export", "--out", str(tmp_path / "out")]):
        assert invoke(folder, "bars", *words, "NONE.NS") == (1, line)
    code, shown = invoke(folder, "bars", "show", "AAA.NS", "--from", "2021-10-04")
    assert (code, "2021-10-04" in shown, "2021-10-01" in shown) == (0, True, False)
    assert invoke(folder, "bars", "show", "AAA.NS", "--to", "2017-01-01")[0] == 0
    assert "no bar was known by then" in invoke(folder, "bars", "as-of", "2017-01-01", "AAA.NS")[1]


def invoke(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words])
    return result.exit_code, result.output or str(result.exception)


def test_the_commands_say_what_came_and_end_with_1_where_something_failed(
    tmp_path: Path, write_installation: Callable[[Path], Path]
) -> None:
    folder = write_installation(tmp_path / "installation")
    now = ("--now", "2021-10-05T12:30:00Z")
    (folder / "bars" / "ETF.csv").rename(folder / "ETF.csv")
    code, shown = invoke(folder, "backfill", *now)
    assert code == 1
    assert "ETF: " in shown
    assert re.search(r"^3 symbols: 2,7\d\d bars new, 0 refused; 1 failed$", shown, flags=re.MULTILINE)
    (folder / "ETF.csv").rename(folder / "bars" / "ETF.csv")
    code, shown = invoke(folder, "backfill", "--json", *now)
    assert (code, json.loads(shown)["had_bars"]) == (0, ["AAA.NS", "BBB.NS", "^INDEX"])
    assert invoke(folder, "bars", "export", "--out", str(tmp_path / "out"))[0] == 0
    config = (folder / "config.toml").read_text(encoding="utf-8")
    other = write_installation(tmp_path / "other")
    (other / "config.toml").write_text(config.replace('"bars"', '"nowhere"'), encoding="utf-8")
    code, shown = invoke(other, "import", str(tmp_path / "out"), *now)
    assert (code, "4 symbols: " in shown) == (0, True)
    assert "has no file of a configured symbol" in invoke(other, "import", str(other), *now)[1]
    assert "is no folder" in invoke(other, "import", str(tmp_path / "absent"), *now)[1]


def test_imported_bars_are_the_configured_feeds_which_goes_on_and_was_not_asked(
    services: Services, services_at: ServicesAt, write_installation: Callable[[Path], Path], tmp_path: Path
) -> None:
    backfill(services)
    list(export_bars(services.engine, tmp_path / "out", ["AAA.NS"]))
    with services_at(write_installation(tmp_path / "other"), EVENING) as other:
        daily = replace(other, feed=Witnessed(other.feed, name="yahoo", on_network=True))
        assert import_bars(daily, tmp_path / "out").failed == ()
        with reading(other.engine) as conn:
            assert newest_of(conn, ["AAA.NS"])["AAA.NS"].provider == "yahoo"
            assert read_feed_state(conn, "yahoo").calls == 0
            assert of_another_provider(conn, daily) == {}


def with_start(services: Services, day: date) -> Services:
    market = services.settings.market.model_copy(update={"history_start": day})
    return replace(services, settings=services.settings.model_copy(update={"market": market}))


def at(services: Services, india: str) -> Services:
    return replace(services, clock=FixedClock(pd.Timestamp(india, tz="Asia/Kolkata").to_pydatetime()))


def test_an_earlier_start_extends_the_histories_back_and_what_was_known_before_stays_so(services: Services) -> None:
    late, begin = with_start(services, date(2020, 1, 1)), services.settings.market.history_start
    backfill(late)
    before, then = stored(services), services.clock.now()
    morning = at(services, "2021-10-06 06:00")
    done = backfill(morning)
    whole = stored(services)
    assert {one.symbol: one.added for one in done.filled} == {
        symbol: len(bars) - len(before[symbol]) for symbol, bars in whole.items()
    }
    assert min(bars.index[0] for bars in whole.values()) == pd.Timestamp(begin)
    with reading(services.engine) as conn:
        for symbol, bars in read_bars(conn, SYMBOLS, known_at=then).items():
            assert_frame_equal(bars, before[symbol])
    for symbol, bars in before.items():
        assert_frame_equal(whole[symbol].loc[bars.index], bars)


def test_what_was_read_whole_is_not_read_again_though_the_feed_begins_later(services: Services) -> None:
    early = with_start(services, date(2010, 1, 1))
    assert backfill(early).failed == ()
    assert backfill(early).had_bars == tuple(SYMBOLS)
    assert backfill(services).had_bars == tuple(SYMBOLS)
    assert backfill(with_start(services, date(2009, 1, 1))).had_bars == ()


def test_a_history_that_the_daily_reading_brought_is_read_again_with_the_actions_of_all_times(
    copy: Path, services_at: ServicesAt
) -> None:
    path = copy / "bars" / "AAA.NS.csv"
    told = pd.read_csv(path)
    told["Dividends"] = np.where(told["Date"] == "2019-06-03", 1.5, 0.0)
    told.to_csv(path, index=False)
    with services_at(copy, EVENING) as services:
        ingest(services, home_calendar(services.settings, services.clock.now()))
        with reading(services.engine) as conn:
            assert read_actions(conn) == []
        assert [one.added for one in backfill(services).filled] == [0, 0, 0, 0]
        with reading(services.engine) as conn:
            assert [(one.kind, str(one.session), one.value) for one in read_actions(conn)] == [
                ("dividend", "2019-06-03", 1.5)
            ]


def test_files_bring_nothing_for_a_symbol_that_has_bars(services: Services, tmp_path: Path) -> None:
    backfill(with_start(services, date(2020, 1, 1)), ["AAA.NS"])
    list(export_bars(services.engine, tmp_path / "out", ["AAA.NS"]))
    assert import_bars(services, tmp_path / "out").had_bars == ("AAA.NS",)


def test_a_feed_that_has_rewritten_the_stored_bars_is_not_taken_for_older_ones(services: Services) -> None:
    backfill(with_start(services, date(2020, 1, 1)), ["AAA.NS"])
    before = stored(services)

    class Rewritten(Witnessed):
        def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
            answers = super().fetch(symbols, first=first, last=last)
            (answer,) = answers.values()
            assert isinstance(answer, History)
            factors = np.exp(np.random.default_rng(0).normal(0, 0.1, (len(answer.bars), 1)))
            return {symbols[0]: replace(answer, bars=answer.bars * factors)}

    (filled,) = backfill(replace(services, feed=Rewritten(services.feed)), ["AAA.NS"]).filled
    assert "changed by odd factors" in filled.failure
    assert_frame_equal(stored(services)["AAA.NS"], before["AAA.NS"])

import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from ensemble.bars import check_bars
from ensemble.sessions import load_calendar
from ensemble.validation.rules import BarRules, Series
from ensemble.validation.sifting import sift_bars
from storage.feeds.feed import Feed, FeedError, History
from storage.feeds.sample import SAMPLE_SYMBOLS, SampleFeed

FIRST, LAST = date(1980, 1, 1), date(2030, 1, 1)


def bars(symbol: str, first: date = FIRST, last: date = LAST) -> pd.DataFrame:
    feed: Feed = SampleFeed()
    answer = feed.fetch([symbol], first=first, last=last)[symbol]
    assert isinstance(answer, History), answer
    return answer.bars


@pytest.mark.parametrize(("symbol", "refused"), [("^GSPC", []), ("^IXIC", ["2015-05-12", "2018-01-09"])])
def test_the_sample_indices_have_a_bar_for_every_session_of_new_york(symbol: str, refused: list[str]) -> None:
    calendar = load_calendar("XNYS", first=date(1999, 1, 1), last=date(2018, 12, 31))
    raw = bars(symbol)
    assert list(raw.index) == list(calendar.sessions)
    sifted = sift_bars(raw, Series("^GSPC", complete=True, sessions=calendar.sessions), rules=BarRules())
    check_bars(sifted.kept, complete=True)
    assert [f"{day:%F}" for day in sifted.refused["session"]] == refused
    assert set(sifted.refused["reason"]) <= {"no_volume"}


@pytest.mark.parametrize(("symbol", "count"), [("^VIX", 1259), ("DCOILWTICO", 8321)])
def test_the_sample_context_has_closes_only(symbol: str, count: int) -> None:
    sifted = sift_bars(bars(symbol), Series(symbol, complete=False, sessions=None), rules=BarRules())
    assert sifted.refused.empty
    assert len(sifted.kept) == count
    assert sifted.kept[["open", "high", "low", "volume"]].isna().all(axis=None)
    assert sifted.kept["close"].equals(sifted.kept["adj_close"].rename("close"))


def test_the_sample_ends_where_it_is_told() -> None:
    frame = bars("^GSPC", date(2018, 7, 2), date(2018, 7, 5))
    assert [f"{day:%d}" for day in frame.index] == ["02", "03", "05"]


def test_a_symbol_that_is_not_in_the_sample_gets_a_suggestion() -> None:
    answers = SampleFeed().fetch(["^GSCP", "RELIANCE.NS", "^IXIC"], first=FIRST, last=LAST)
    assert 'did you mean "^GSPC"' in str(answers["^GSCP"])
    assert isinstance(answers["RELIANCE.NS"], FeedError)
    assert "it has DCOILWTICO, ^GSPC, ^IXIC, ^VIX." in str(answers["RELIANCE.NS"])
    assert isinstance(answers["^IXIC"], History)
    assert set(SAMPLE_SYMBOLS) == {"^GSPC", "^IXIC", "^VIX", "DCOILWTICO"}


def test_the_sample_never_loads_the_package_that_carries_it() -> None:
    code = (
        "import sys; from datetime import date; from storage.feeds.sample import SampleFeed;"
        "SampleFeed().fetch(['^GSPC'], first=date(2018, 1, 1), last=date(2018, 2, 1));"
        "sys.exit('arch' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0

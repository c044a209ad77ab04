"""The real client, in its real child process, against a Yahoo on the loopback."""

import json
import multiprocessing
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from ensemble.bars import BAR_COLUMNS
from ensemble.validation.rules import BarRules, Refusal, Series
from ensemble.validation.sifting import sift_bars
from storage.feeds.feed import FeedDown, FeedError, FeedRefused, History
from storage.feeds.yahoo import YahooFeed
from tests.storage.feeds.yahoo_server import (
    CLOSES,
    OPENS,
    Reply,
    Yahoo,
    bomb,
    chart,
    cut_off,
    drips,
    floods,
    hangs,
    says,
    series,
    yahoo_server,
)

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)
UNKNOWN = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}
EVENTS = {
    "dividends": {str(OPENS[1]): {"amount": 0.5, "date": OPENS[1]}},
    "splits": {str(OPENS[0]): {"date": OPENS[0], "numerator": 2.0, "denominator": 1.0, "splitRatio": "2:1"}},
}
TOO_MANY = says(b"Too Many Requests", 429)
INVALID_CRUMB = says(b'{"finance": {"error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}', 401)
WIPED_OUT = says(b'{"chart": {"result": null, "error": {"code": "Internal", "description": "try later"}}}', 500)
BROKEN = says(b"<html>Bad Gateway</html>", 502)

FAULTS: dict[str, tuple[Reply, type[FeedError], str]] = {
    "EMPTY.NS": (says(chart("EMPTY.NS", indicators={"quote": [{}]})), FeedError, "possibly delisted; no price data"),
    "GONE.NS": (says(json.dumps(UNKNOWN).encode(), 404), FeedError, "yahoo knows no GONE.NS (HTTP 404)"),
    "WRONG.NS": (says(chart("RIGHT.NS")), FeedError, "the answer was about RIGHT.NS"),
    "CRUMB.NS": (INVALID_CRUMB, FeedDown, "(HTTP 401, "),
    "WIPED.NS": (WIPED_OUT, FeedDown, "(HTTP 500, "),
    "BROKEN.NS": (BROKEN, FeedDown, "(HTTP 502, "),
    "HTML.NS": (says(b"<html>Login</html>"), FeedDown, "JSONDecodeError"),
    "DOWN.NS": (says(b"<html>Will be right back</html>"), FeedDown, "nothing usable for DOWN.NS"),
    "TRUNCATED.NS": (says(chart("TRUNCATED.NS")[:-40]), FeedDown, "JSONDecodeError"),
    "CUT.NS": (cut_off, FeedDown, "curl: (18)"),
    "HANG.NS": (hangs, FeedDown, "curl: (28)"),
    "DRIP.NS": (drips, FeedDown, "curl: (28)"),
    "FLOOD.NS": (floods(50 << 20), FeedDown, "the answer was longer than 8 MiB"),
    "BOMB.NS": (bomb(200 << 20), FeedDown, "the answer was longer than 8 MiB"),
}
"""Symbol -> what is always answered, and what comes of it."""


@pytest.fixture
def yahoo() -> Iterator[Yahoo]:
    with yahoo_server() as server:
        yield server


def fetched(yahoo: Yahoo, symbol: str) -> History:
    answer = YahooFeed(timeout_s=60, mirror=yahoo.url).fetch([symbol], first=FIRST, last=LAST)[symbol]
    assert isinstance(answer, History), answer
    return answer


def test_bars_come_with_actions_currency_and_zone(yahoo: Yahoo) -> None:
    loaded = "yfinance" in sys.modules  # empyrical loads it too, in whichever test comes first
    parts = series(OPENS, [10.2, 11.2, None, 13.2])
    yahoo.always["GOOD.NS"] = says(chart("GOOD.NS", events=EVENTS, **parts))
    history = fetched(yahoo, "GOOD.NS")
    bars = history.bars
    assert list(bars.columns) == list(BAR_COLUMNS)
    # The row without a value is none, and the fourth of January is after the last final session.
    assert list(bars.index) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]
    assert bars.index.name == "session"
    assert bars.iloc[0].tolist() == [10.0, 10.5, 9.5, 10.2, 10.2, 100.0]
    assert history.actions.to_dict("index") == {
        pd.Timestamp("2024-01-01"): {"dividend": 0.0, "split": 2.0},
        pd.Timestamp("2024-01-02"): {"dividend": 0.5, "split": 1.0},
    }
    assert (history.currency, history.zone) == ("INR", "Asia/Kolkata")
    # Asked for: up to the midnight in Kolkata that ends the third of January.
    end = int(datetime(2024, 1, 3, 18, 30, tzinfo=UTC).timestamp())
    assert any("GOOD.NS" in path and f"period2={end}" in path for path in yahoo.asked)
    assert not multiprocessing.active_children()
    assert ("yfinance" in sys.modules) == loaded


def test_each_fault_is_one_line_spoils_no_other_symbol_and_the_next_call_is_healthy(yahoo: Yahoo) -> None:
    """One fetch of all faults, each between two good symbols, and one after Yahoo has recovered."""
    yahoo.always |= {symbol: reply for symbol, (reply, _, _) in FAULTS.items()}
    symbols = [name for symbol in FAULTS for name in (symbol, f"AFTER-{symbol}")]
    feed = YahooFeed(timeout_s=100, at_once=1, request_timeout_s=1.5, mirror=yahoo.url)
    sick = feed.fetch(symbols, first=FIRST, last=LAST)
    yahoo.always.clear()
    healthy = feed.fetch(symbols, first=FIRST, last=LAST)
    for symbol, (_, kind, words) in FAULTS.items():
        assert type(sick[symbol]) is kind, sick[symbol]
        assert words in str(sick[symbol])
        assert symbol in str(sick[symbol])
        assert "\n" not in str(sick[symbol])
        assert len(str(sick[symbol])) < 300
    assert {symbol for symbol, answer in sick.items() if isinstance(answer, History)} == set(symbols) - set(FAULTS)
    assert all(isinstance(answer, History) for answer in healthy.values())
    assert not multiprocessing.active_children()


def test_a_refusal_that_happens_once_is_asked_again_at_once(yahoo: Yahoo) -> None:
    refusals = {"429.NS": TOO_MANY, "401.NS": INVALID_CRUMB, "500.NS": WIPED_OUT, "502.NS": BROKEN}
    yahoo.faults.update({symbol: [reply] for symbol, reply in refusals.items()})
    answers = YahooFeed(timeout_s=60, at_once=1, mirror=yahoo.url).fetch([*refusals], first=FIRST, last=LAST)
    assert all(isinstance(answer, History) and len(answer.bars) == 3 for answer in answers.values()), answers


def test_after_too_many_requests_nothing_more_is_asked(yahoo: Yahoo) -> None:
    yahoo.always["REFUSED.NS"] = TOO_MANY
    answers = YahooFeed(timeout_s=60, mirror=yahoo.url).fetch(["REFUSED.NS", "A.NS", "B.NS"], first=FIRST, last=LAST)
    for symbol, answer in answers.items():
        assert isinstance(answer, FeedRefused)
        assert f"yahoo refused {symbol}: too many requests (HTTP 429)" in str(answer)
    assert (yahoo.asked_for("A.NS"), yahoo.asked_for("B.NS")) == (0, 0)


def test_what_is_down_three_times_in_a_row_is_left_in_peace(yahoo: Yahoo) -> None:
    symbols = [f"S{number}.NS" for number in range(8)]
    yahoo.always = dict.fromkeys(symbols, BROKEN)
    answers = YahooFeed(timeout_s=60, at_once=1, mirror=yahoo.url).fetch(symbols, first=FIRST, last=LAST)
    assert [yahoo.asked_for(symbol) > 0 for symbol in symbols] == [True] * 3 + [False] * 5
    assert "it failed 3 times in a row" in str(answers["S7.NS"])
    assert all(isinstance(answer, FeedDown) for answer in answers.values())


def test_a_poisoned_crumb_is_never_sent_and_does_not_outlive_the_call(yahoo: Yahoo) -> None:
    """The client used to keep these words as its password for ever after."""
    yahoo.crumb = says(b"Too Many Requests")
    assert len(fetched(yahoo, "A.NS").bars) == 3
    yahoo.crumb = says(b"sweet")
    assert len(fetched(yahoo, "A.NS").bars) == 3
    assert not any("Too" in path for path in yahoo.asked)
    assert any("crumb=sweet" in path for path in yahoo.asked)


def test_an_error_is_not_kept_from_one_call_to_the_next(yahoo: Yahoo) -> None:
    feed = YahooFeed(timeout_s=60, mirror=yahoo.url)
    yahoo.faults["A.NS"] = [says(json.dumps(UNKNOWN).encode(), 404)] * 4
    assert isinstance(feed.fetch(["A.NS"], first=FIRST, last=LAST)["A.NS"], FeedError)
    yahoo.faults.clear()
    assert isinstance(feed.fetch(["A.NS"], first=FIRST, last=LAST)["A.NS"], History)


def test_a_zone_once_told_is_not_asked_for_again_and_the_answer_s_own_counts(yahoo: Yahoo) -> None:
    feed = YahooFeed(timeout_s=60, mirror=yahoo.url)
    assert isinstance(feed.fetch(["A.NS"], first=FIRST, last=LAST)["A.NS"], History)
    assert yahoo.asked_for("A.NS") == 2
    yahoo.always["A.NS"] = says(chart("A.NS", meta={"exchangeTimezoneName": "America/New_York"}))
    answer = feed.fetch(["A.NS"], first=FIRST, last=LAST)["A.NS"]
    assert yahoo.asked_for("A.NS") == 3
    assert isinstance(answer, History)
    # 09:15 in Kolkata is the evening before in New York: whoever knows the exchange has to refuse this.
    assert answer.zone == "America/New_York"
    assert list(answer.bars["close"]) == [11.2, 12.2]


@pytest.fixture(scope="module")
def odd() -> Mapping[str, History]:
    """What came of answers that are odd, asked for on the fourth of January: TODAY up to then, the others too."""
    now, tomorrow = OPENS[3] + 5000, OPENS[3] + 86400
    twice = [*OPENS[:2], OPENS[1], *OPENS[2:]]
    parts = {
        "TODAY.NS": series([*OPENS, now], [*CLOSES, 13.7]),
        "ODD.NS": series([*twice, tomorrow], [10.2, 11.2, 11.2, None, 13.2, 14.2]),
        "TWO.NS": series(twice, [10.2, 11.2, 19.9, 12.2, 13.2]),
        "AFTER.NS": series([*OPENS, now, tomorrow], [*CLOSES, 13.2, None]),
    }
    parts["AFTER.NS"]["indicators"]["quote"][0]["volume"][4] = 104
    with yahoo_server() as server:
        server.always = {symbol: says(chart(symbol, **part)) for symbol, part in parts.items()}
        answers = YahooFeed(timeout_s=60, mirror=server.url).fetch([*parts], first=FIRST, last=date(2024, 1, 4))
    return {symbol: answer for symbol, answer in answers.items() if isinstance(answer, History)}


def closes(history: History) -> dict[str, float]:
    return {f"{session:%d}": close for session, close in history.bars["close"].items()}


def test_of_two_bars_of_the_newest_date_the_settled_one_comes_and_not_the_price_of_now(
    odd: Mapping[str, History],
) -> None:
    """A day under way comes so, which is left out by those who know the hours, and a future that is traded again."""
    assert closes(odd["TODAY.NS"]) == {"01": 10.2, "02": 11.2, "03": 12.2, "04": 13.2}


def test_of_two_that_differ_by_a_little_volume_one_comes_also_before_a_day_without_prices(
    odd: Mapping[str, History],
) -> None:
    assert closes(odd["AFTER.NS"]) == {"01": 10.2, "02": 11.2, "03": 12.2, "04": 13.2}
    assert len(odd["AFTER.NS"].bars) == 4


def test_null_rows_future_rows_and_equal_copies_are_no_bars(odd: Mapping[str, History]) -> None:
    assert len(odd["ODD.NS"].bars) == 3
    assert closes(odd["ODD.NS"]) == {"01": 10.2, "02": 11.2, "04": 13.2}


def test_two_different_bars_of_one_date_are_both_refused(odd: Mapping[str, History]) -> None:
    """The client itself keeps the first in silence."""
    sifted = sift_bars(odd["TWO.NS"].bars, Series("TWO.NS", True, None), rules=BarRules())
    assert [f"{session:%d}" for session in sifted.kept.index] == ["01", "03", "04"]
    assert set(sifted.refused["reason"]) == {Refusal.DUPLICATE}
    assert sorted(sifted.refused["close"]) == [11.2, 19.9]


@pytest.mark.slow
def test_a_hang_ends_with_the_time_limit_and_keeps_what_had_come(yahoo: Yahoo) -> None:
    yahoo.always["HANG.NS"] = hangs
    feed = YahooFeed(timeout_s=12, request_timeout_s=60, mirror=yahoo.url)
    answers = feed.fetch(["GOOD.NS", "HANG.NS"], first=FIRST, last=LAST)
    assert isinstance(answers["GOOD.NS"], History)
    assert isinstance(answers["HANG.NS"], FeedDown)
    assert "feed.timeout_s = 12 s" in str(answers["HANG.NS"])
    assert not multiprocessing.active_children()


def test_a_network_that_is_down_is_one_clear_line() -> None:
    answer = YahooFeed(timeout_s=60, mirror="http://127.0.0.1:9").fetch(["GOOD.NS"], first=FIRST, last=LAST)["GOOD.NS"]
    assert isinstance(answer, FeedDown)
    assert str(answer).endswith("check the network, or wait for Yahoo.")


def test_without_a_usable_symbol_no_process_is_started() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answers = YahooFeed(timeout_s=60).fetch(["a/b"], first=FIRST, last=LAST)
    assert isinstance(answers["a/b"], FeedError)
    assert YahooFeed(timeout_s=60).fetch([], first=FIRST, last=LAST) == {}
    assert resource.getrusage(resource.RUSAGE_CHILDREN) == before  # a child that was waited for has used something


@pytest.mark.slow
def test_neither_long_answers_nor_many_symbols_fill_the_memory_of_the_child(yahoo: Yahoo, tmp_path: Path) -> None:
    """50 MiB, 200 MiB packed, then 30 symbols with 6,000 bars each."""
    opens = [OPENS[0] - 86400 * day for day in range(6000, 0, -1)]
    many = [f"S{number}.NS" for number in range(30)]
    yahoo.always = {name: says(chart(name, **series(opens, [10.2] * len(opens)))) for name in many}
    yahoo.always |= {"FLOOD.NS": floods(50 << 20), "BOMB.NS": bomb(200 << 20)}
    code = (
        "import re, sys; from datetime import date; from pathlib import Path\n"
        "from storage.feeds.child import Order, Terms\n"
        "from storage.feeds.yahoo import ask_yahoo\n"
        "url, folder, *symbols = sys.argv[1:]\n"
        "order = Order(tuple(symbols), date(2000, 1, 1), date(2024, 1, 3), Terms(4, 10.0, url), (), folder)\n"
        "rows = sum(len(getattr(answer, 'bars', ())) for _, answer in ask_yahoo(order))\n"
        # Not ru_maxrss, which begins with that of the process that was forked.
        "print(rows, int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    call = [sys.executable, "-c", code, yahoo.url, str(tmp_path), "A.NS", "FLOOD.NS", "BOMB.NS", *many]
    done = subprocess.run(call, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True)
    rows, peak_mib = map(int, done.stdout.split())
    assert rows == 30 * 6000 + 3
    assert peak_mib < 300

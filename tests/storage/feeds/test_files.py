from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.bars import BAR_COLUMNS
from ensemble.validation.rules import BarRules, Refusal, Series
from ensemble.validation.sifting import sift_bars
from storage.feeds.feed import ACTION_COLUMNS, Feed, FeedError, History
from storage.feeds.files import FilesFeed

FIRST, LAST = date(2021, 1, 4), date(2021, 1, 8)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
ROW = "10,11,9,10.5,5.25,1000"


def write(folder: Path, name: str, *rows: str, header: str = HEADER) -> None:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def fetch(folder: Path, symbol: str = "A.NS") -> History | FeedError:
    feed: Feed = FilesFeed(folder)
    return feed.fetch([symbol], first=FIRST, last=LAST)[symbol]


def bars(folder: Path, symbol: str = "A.NS") -> pd.DataFrame:
    answer = fetch(folder, symbol)
    assert isinstance(answer, History), answer
    return answer.bars


def error(folder: Path, symbol: str = "A.NS") -> str:
    answer = fetch(folder, symbol)
    assert isinstance(answer, FeedError)
    assert "\n" not in str(answer)
    return str(answer)


def test_a_csv_in_yahoo_s_schema_gives_a_raw_bars_frame(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", f"2021-01-04,{ROW}", f"2021-01-05,{ROW}")
    frame = bars(tmp_path)
    assert list(frame.columns) == list(BAR_COLUMNS)
    assert set(frame.dtypes) == {np.dtype(np.float64)}
    assert frame.index.name == "session"
    assert list(frame.index) == [pd.Timestamp("2021-01-04"), pd.Timestamp("2021-01-05")]
    assert frame.iloc[0].tolist() == [10.0, 11.0, 9.0, 10.5, 5.25, 1000.0]


def test_a_parquet_file_says_the_same_as_the_csv(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", f"2021-01-04,{ROW}")
    table = pd.read_csv(tmp_path / "A.NS.csv", parse_dates=["Date"])
    table.to_parquet(tmp_path / "B.NS.parquet")
    table.set_index("Date").tz_localize("Asia/Kolkata").to_parquet(tmp_path / "C.NS.parquet")
    pd.testing.assert_frame_equal(bars(tmp_path, "B.NS"), bars(tmp_path))
    pd.testing.assert_frame_equal(bars(tmp_path, "C.NS"), bars(tmp_path))


def test_rows_outside_first_to_last_are_not_returned(tmp_path: Path) -> None:
    days = ["2021-01-03", "2021-01-04", "2021-01-08", "2021-01-09", "2999-01-01"]
    write(tmp_path, "A.NS.csv", *(f"{day},{ROW}" for day in days))
    assert [f"{day:%d}" for day in bars(tmp_path).index] == ["04", "08"]


def test_a_session_is_the_date_that_the_exchange_s_clock_showed(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", f"2021-01-04 00:00:00+05:30,{ROW}", f"2021-01-05 00:00:00-05:00,{ROW}")
    assert [f"{day:%F %T}" for day in bars(tmp_path).index] == ["2021-01-04 00:00:00", "2021-01-05 00:00:00"]


def test_wrong_values_and_dates_are_left_to_the_sieve(tmp_path: Path) -> None:
    write(
        tmp_path,
        "A.NS.csv",
        f"2021-01-04,{ROW}",
        "2021-01-05,n/a,11,9,10.5,5.25,1000",
        "2021-01-06,10,inf,9,10.5,5.25,1000",
        "2021-01-07,10,11,-9,10.5,5.25,1000",
        "2021-01-08,10,9,11,10.5,5.25,1000",
        f"yesterday,{ROW}",
        f",{ROW}",
        f"2021-01-04,{ROW}",
    )
    sifted = sift_bars(bars(tmp_path), Series("A.NS", complete=True, sessions=None), rules=BarRules())
    assert list(sifted.kept.index) == [pd.Timestamp("2021-01-04")]
    assert sifted.refused["reason"].tolist() == [
        Refusal.NOT_FINITE,
        Refusal.NOT_FINITE,
        Refusal.NOT_POSITIVE,
        Refusal.RANGE,
        Refusal.NO_DATE,
        Refusal.NO_DATE,
    ]


def test_a_file_without_rows_gives_no_bars_and_no_error(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv")
    assert bars(tmp_path).empty


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"feed\.files\.path was .*nowhere, which is no folder"):
        fetch(tmp_path / "nowhere")


def test_an_unknown_symbol_gets_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE.NS.csv")
    write(tmp_path, "TCS.NS.csv")
    assert 'did you mean "RELIANCE.NS"?' in error(tmp_path, "RELAINCE.NS")
    assert 'did you mean "TCS.NS"?' in error(tmp_path, "tcs.ns")
    assert "it has RELIANCE.NS, TCS.NS." in error(tmp_path, "^GDAXI")


@pytest.mark.parametrize("symbol", ["../A.NS", "..", "a/b", "a\\b", "/etc/passwd", "", "A\n", "A\0", "x" * 40])
def test_a_symbol_that_could_leave_the_folder_is_refused(tmp_path: Path, symbol: str) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    write(tmp_path, "A.NS.csv", f"2021-01-04,{ROW}")
    answer = fetch(folder, symbol)
    assert isinstance(answer, FeedError)
    assert "it must be 1 to 32 letters, digits and" in str(answer)


@pytest.mark.parametrize("symbol", ["M&M.NS", "^NSEI", "CL=F", "BRK-B", "INR=X", "000001.SS"])
def test_a_symbol_may_be_whatever_exchanges_use(tmp_path: Path, symbol: str) -> None:
    write(tmp_path, f"{symbol}.csv", f"2021-01-04,{ROW}")
    assert len(bars(tmp_path, symbol)) == 1


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", "2021-01-04,1,1,1,1", header="Date,Open,High,Low,Close")
    assert "lacks the columns ['Adj Close', 'Volume']" in error(tmp_path)
    write(tmp_path, "A.NS.csv", "1,1", header="Day,Open")
    assert "lacks the columns ['Date'," in error(tmp_path)


def test_a_file_without_one_readable_date_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", f"1/4/2021,{ROW}", f"1/5/2021,{ROW}")
    assert 'no readable Date, the first is "1/4/2021"' in error(tmp_path)


@pytest.mark.parametrize("name", ["A.NS.csv", "A.NS.parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b'Date,Open\n"2021'])
def test_a_broken_file_is_one_clear_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in error(tmp_path)


def test_dividends_and_splits_come_where_the_file_has_them(tmp_path: Path) -> None:
    rows = [f"2021-01-{day:02d},{ROW},{paid}" for day, paid in ((4, "0,0"), (5, "1.5,0"), (6, ",2"), (7, "0,"))]
    write(tmp_path, "A.NS.csv", *rows, f"junk,{ROW},9,9", header=f"{HEADER},Dividends,Stock Splits")
    write(tmp_path, "B.NS.csv", f"2021-01-04,{ROW}")
    told, silent = fetch(tmp_path), fetch(tmp_path, "B.NS")
    assert isinstance(told, History)
    assert isinstance(silent, History)
    # A split of 1 and a dividend of 0 are none.
    assert told.actions.to_dict("index") == {
        pd.Timestamp("2021-01-05"): {"dividend": 1.5, "split": 1.0},
        pd.Timestamp("2021-01-06"): {"dividend": 0.0, "split": 2.0},
    }
    assert len(told.bars) == 5
    for actions in (told.actions, silent.actions):
        assert list(actions.columns) == list(ACTION_COLUMNS)
        assert set(actions.dtypes) == {np.dtype(np.float64)}
        assert actions.index.name == "session"
    assert silent.actions.empty
    assert silent.currency is silent.zone is None


def test_one_bad_symbol_spoils_no_other(tmp_path: Path) -> None:
    write(tmp_path, "A.NS.csv", f"2021-01-04,{ROW}")
    answers = FilesFeed(tmp_path).fetch(["../A", "A.NS", "B.NS"], first=FIRST, last=LAST)
    assert [isinstance(answer, FeedError) for answer in answers.values()] == [True, False, True]


def test_every_real_file_can_be_read(market_folder: Path) -> None:
    symbols = [path.stem for path in market_folder.glob("*.csv") if path.stem != "ANOMALIES"]
    answers = FilesFeed(market_folder).fetch(symbols, first=date(1996, 1, 1), last=date(2021, 12, 31))
    counts = {symbol: len(answer.bars) for symbol, answer in answers.items() if isinstance(answer, History)}
    assert len(counts) == len(symbols) >= 31
    assert min(counts.values()) > 2400

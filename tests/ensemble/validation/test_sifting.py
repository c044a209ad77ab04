import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from ensemble.bars import BAR_COLUMNS, BarsError, check_bars
from ensemble.sessions import load_calendar
from ensemble.validation.rules import BarRules, Refusal, Series, Sifted
from ensemble.validation.sifting import sift_bars

RULES = BarRules()
GOOD = {"open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0, "adj_close": 50.5, "volume": 1000.0}


def bars(**changed: float) -> pd.DataFrame:
    """Six good bars from Monday 2024-01-01 on, the third one changed."""
    index = pd.date_range("2024-01-01", periods=6, freq="B", name="session")
    frame = pd.DataFrame([GOOD] * 6, index=index, columns=list(BAR_COLUMNS))
    frame["volume"] += np.arange(6)
    for name, value in changed.items():
        frame.loc["2024-01-03", name] = value
    return frame


def sift(
    raw: pd.DataFrame, *, symbol: str = "A.NS", complete: bool = True, sessions: pd.DatetimeIndex | None = None
) -> Sifted:
    return sift_bars(raw, Series(symbol, complete, sessions), rules=RULES)


def reasons(sifted: Sifted) -> list[str]:
    return list(sifted.refused["reason"])


def test_good_bars_pass_unchanged() -> None:
    sifted = sift(bars())
    assert_frame_equal(sifted.kept, bars(), check_freq=False)
    assert sifted.refused.empty
    assert list(sifted.refused.columns) == ["session", "reason", *BAR_COLUMNS]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"open": math.nan}, Refusal.NOT_FINITE),
        ({"adj_close": math.nan}, Refusal.NOT_FINITE),
        ({"high": math.inf}, Refusal.NOT_FINITE),
        ({"volume": math.inf}, Refusal.NOT_FINITE),
        ({"low": -1.0}, Refusal.NOT_POSITIVE),
        ({"close": 0.0}, Refusal.NOT_POSITIVE),
        ({"volume": -5.0}, Refusal.NOT_POSITIVE),
        ({"high": 98.0}, Refusal.RANGE),
        ({"close": 102.1}, Refusal.RANGE),
        ({"open": 98.9}, Refusal.RANGE),
        ({"volume": 0.0}, Refusal.NO_VOLUME),
        ({"volume": math.nan}, Refusal.NO_VOLUME),
        ({"open": 152.0, "high": 153.0, "low": 151.0, "close": 152.0}, Refusal.MOVE_LIMIT),
    ],
)
def test_a_broken_traded_bar_is_refused_with_its_reason(changed: dict[str, float], reason: Refusal) -> None:
    sifted = sift(bars(**changed))
    assert reasons(sifted) == [reason]
    assert sifted.refused["session"].tolist() == [pd.Timestamp("2024-01-03")]
    assert len(sifted.kept) == 5


def test_a_refused_row_is_kept_as_it_came() -> None:
    refused = sift(bars(low=-1.0)).refused
    assert refused[list(BAR_COLUMNS)].iloc[0].to_dict() == GOOD | {"low": -1.0, "volume": 1002.0}


def test_open_and_close_may_leave_the_range_by_a_basis_point_which_then_widens() -> None:
    kept = sift(bars(close=102.01)).kept
    assert kept["high"].iloc[2] == 102.01
    check_bars(kept, complete=True)


def test_rows_without_a_date_are_refused() -> None:
    raw = bars()
    raw.index = pd.Index(["2024-01-01", "yesterday", "2024-01-03", None, "2024-01-05", "2024-01-08"])
    sifted = sift(raw)
    assert reasons(sifted) == [Refusal.NO_DATE] * 2
    assert sifted.refused["session"].isna().all()


def test_disorder_is_sorted() -> None:
    assert_frame_equal(sift(bars()[::-1]).kept, sift(bars()).kept)


def test_of_equal_rows_one_is_kept_and_none_refused() -> None:
    raw = bars(open=math.nan)
    sifted = sift(pd.concat([raw, raw]), complete=False)
    assert_frame_equal(sifted.kept, sift(raw, complete=False).kept)
    assert sifted.refused.empty


def test_of_differing_rows_of_one_session_all_are_refused() -> None:
    raw = pd.concat([bars(), bars(close=100.5), bars(close=100.5)])
    sifted = sift(raw)
    assert reasons(sifted) == [Refusal.DUPLICATE] * 2
    assert sifted.refused["close"].tolist() == [101.0, 100.5]
    assert len(sifted.kept) == 5


def test_a_bar_of_a_day_the_exchange_was_closed_is_refused() -> None:
    sessions = pd.DatetimeIndex(bars().index).delete(2)
    assert reasons(sift(bars(volume=0.0), sessions=sessions)) == [Refusal.NOT_A_SESSION]


def test_a_session_is_the_date_on_the_exchange_s_own_wall() -> None:
    raw = bars()
    raw.index = (pd.DatetimeIndex(raw.index) + pd.Timedelta(hours=1)).tz_localize("Asia/Kolkata")
    assert_frame_equal(sift(raw).kept, sift(bars()).kept)


def test_a_level_shift_is_kept() -> None:
    raw = bars()
    raw.iloc[2:] *= 0.5
    assert sift(raw).refused.empty


def test_a_fall_that_goes_on_the_next_day_is_kept() -> None:
    raw = bars()
    raw.iloc[2] *= 0.6
    raw.iloc[3:] *= 0.36
    raw["volume"] = 1000.0 + np.arange(6)
    assert sift(raw).refused.empty


def test_the_bar_after_a_bad_tick_is_kept_even_as_the_newest() -> None:
    sifted = sift(bars(open=300.0, high=300.0, low=300.0, close=300.0)[:4])
    assert sifted.refused["session"].tolist() == [pd.Timestamp("2024-01-03")]


def test_a_far_newest_bar_waits_until_the_next_one_confirms_it() -> None:
    raw = bars()
    raw.iloc[4:] *= 0.5
    assert reasons(sift(raw[:5])) == [Refusal.MOVE_LIMIT]
    assert sift(raw).refused.empty


@pytest.mark.parametrize(
    "changed",
    [{"open": math.nan}, {"open": -1.0}, {"open": math.inf}, {"open": 103.0}],
)
def test_a_context_bar_loses_a_wrong_open_only(changed: dict[str, float]) -> None:
    sifted = sift(bars(**changed), complete=False)
    row = sifted.kept.iloc[2]
    assert sifted.refused.empty
    assert np.isnan(row["open"])
    assert (row["high"], row["low"], row["close"]) == (102.0, 99.0, 101.0)


@pytest.mark.parametrize("changed", [{"high": 98.0}, {"close": 103.0}, {"high": math.nan, "low": -1.0}])
def test_a_context_bar_loses_a_range_that_contradicts_its_close(changed: dict[str, float]) -> None:
    sifted = sift(bars(**changed), complete=False)
    assert sifted.refused.empty
    assert sifted.kept[["high", "low"]].iloc[2].isna().all()
    assert sifted.kept["open"].iloc[2] == 100.0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"close": math.nan}, Refusal.NOT_FINITE),
        ({"adj_close": math.inf}, Refusal.NOT_FINITE),
        ({"close": -37.63}, Refusal.NOT_POSITIVE),
        ({"close": 350.0}, Refusal.MOVE_LIMIT),
    ],
)
def test_a_context_bar_without_a_usable_close_is_refused(changed: dict[str, float], reason: Refusal) -> None:
    assert reasons(sift(bars(**changed), complete=False)) == [reason]


def test_a_context_bar_needs_no_volume() -> None:
    assert sift(bars(volume=math.nan), complete=False).refused.empty
    assert sift(bars().assign(volume=0.0, close=[101, 100, 102, 99, 101, 100.5]), complete=False).refused.empty


def test_raw_bars_without_a_column_are_a_defect() -> None:
    with pytest.raises(BarsError, match="lack the columns \\['volume'\\]"):
        sift(bars().drop(columns="volume"))


def test_closes_that_go_to_and_fro_are_refused_until_one_is_confirmed() -> None:
    days = pd.date_range("2024-01-01", periods=6, name="session")
    raw = pd.DataFrame(dict.fromkeys(BAR_COLUMNS, 100.0), index=days)
    raw["close"] = [0.5, 2.0, 0.5, 2.0, 2.02, 2.04]
    newest_is_lonely = sift(raw.iloc[:4], complete=False)
    assert list(newest_is_lonely.kept["close"]) == [0.5]
    assert list(sift(raw, complete=False).kept["close"]) == [0.5, 2.0, 2.02, 2.04]


WILD = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.00005, 1.4, 2.0, 100.0, math.nan, math.inf, -math.inf])
ROWS = st.lists(st.tuples(st.integers(-1, 9), *[WILD] * len(BAR_COLUMNS)), max_size=12)


@given(rows=ROWS, complete=st.booleans(), known=st.booleans())
def test_whatever_comes_in_what_is_kept_is_a_bars_frame(
    rows: list[tuple[float, ...]], complete: bool, known: bool
) -> None:
    days = pd.date_range("2024-01-01", periods=10)
    index = pd.DatetimeIndex([days[int(row[0])] if row[0] >= 0 else pd.NaT for row in rows])
    raw = pd.DataFrame([row[1:] for row in rows], index=index, columns=list(BAR_COLUMNS), dtype=float)
    sifted = sift(raw, complete=complete, sessions=days[::2] if known else None)
    check_bars(sifted.kept, complete=complete)
    assert set(sifted.refused["reason"]) <= set(Refusal)
    distinct = raw.rename_axis("session").reset_index()
    dated = distinct[distinct["session"].notna()].drop_duplicates()
    assert len(sifted.kept) + len(sifted.refused) == len(dated) + int(distinct["session"].isna().sum())
    assert_frame_equal(sift(sifted.kept, complete=complete).kept, sifted.kept)


def _real(folder: Path, symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(folder / f"{symbol}.csv", index_col="Date", parse_dates=["Date"])
    return frame.set_axis(list(BAR_COLUMNS), axis=1)


def test_real_reliance_loses_its_phantom_bars_and_nothing_else(market_folder: Path) -> None:
    raw = _real(market_folder, "RELIANCE.NS")["2006-01-19":]
    calendar = load_calendar("XNSE", first=raw.index[0].date(), last=raw.index[-1].date())
    sifted = sift(raw, sessions=calendar.sessions)
    anomalies = pd.read_csv(market_folder / "ANOMALIES.csv", parse_dates=["Date"]).query("Symbol == 'RELIANCE.NS'")
    phantom = anomalies.loc[anomalies["Kind"] == "zero_volume_row", "Date"]
    assert set(sifted.refused["session"]) == set(phantom[phantom >= raw.index[0]])
    missing = anomalies.loc[anomalies["Kind"] == "missing_session", "Date"]
    unlisted = {pd.Timestamp(day) for day in ("2006-04-29", "2006-06-25", "2006-10-21", "2009-10-17", "2010-02-06")}
    assert (
        set(calendar.sessions[~calendar.sessions.isin(sifted.kept.index)])
        == set(missing[missing >= raw.index[0]]) | unlisted
    )


@pytest.mark.parametrize("symbol", ["TCS.NS", "INFY.NS", "HDFCBANK.NS", "ICICIBANK.NS", "ITC.NS", "ONGC.NS"])
def test_real_peers_lose_only_days_without_trade(market_folder: Path, symbol: str) -> None:
    raw = _real(market_folder, symbol)["2006-01-19":]
    calendar = load_calendar("XNSE", first=raw.index[0].date(), last=raw.index[-1].date())
    sifted = sift(raw, sessions=calendar.sessions)
    assert set(sifted.refused["session"]) == set(raw.index[raw["volume"] == 0])


def test_real_context_loses_only_bad_ticks_and_copies_of_the_day_before(market_folder: Path) -> None:
    for path in sorted(market_folder.glob("*.csv")):
        if path.stem != "ANOMALIES" and not path.stem.endswith(".NS"):
            refused = sift(_real(market_folder, path.stem), symbol=path.stem, complete=False).refused
            faults = ["2011-04-22", "2012-01-27", "2012-01-31", "2013-03-29", "2013-06-12"]
            expected = [pd.Timestamp(day) for day in faults if path.stem == "INR=X"]
            assert refused["session"].tolist() == expected, path.stem

"""A synthetic market looks like a market, and its oracle knows what can be known and no more."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ensemble.bars import check_bars
from ensemble.evaluation.roc_area import pooled_auc
from ensemble.evaluation.synthetic import ORACLE_LABELS, SyntheticMarket, SyntheticOptions, simulate_market
from ensemble.evaluation.synthetic.bound import oracle_scored, recover
from ensemble.evaluation.synthetic.coupling import DEGREES_OF_FREEDOM
from ensemble.evaluation.synthetic.drivers import COMMON_SHARE, draw_drivers
from ensemble.evaluation.synthetic.market import DAY_LEADER, FEAR, FEAR_AT_USUAL_LEVEL, GAP_LEADER
from ensemble.evaluation.synthetic.timeline import make_timeline
from ensemble.evaluation.synthetic.volatility import STORMY, volatility_levels
from ensemble.features.as_of import newest_known
from ensemble.sessions import available_at
from ensemble.validation.rules import BarRules, Series
from ensemble.validation.sifting import sift_bars


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return simulate_market(SyntheticOptions(auc=0.7, years=8, symbols=4, seed=5))


@pytest.fixture(scope="module")
def null() -> SyntheticMarket:
    return simulate_market(SyntheticOptions(auc=0.5, years=8, symbols=4, seed=5))


def log_change(bars: pd.DataFrame) -> "pd.Series[float]":
    return bars["close"].apply(np.log).diff().iloc[1:]


def test_the_same_options_give_the_same_market() -> None:
    one, same, other = (simulate_market(SyntheticOptions(years=1, symbols=2, seed=seed)) for seed in (5, 5, 6))
    assert all(same.bars[symbol].equals(bars) for symbol, bars in one.bars.items())
    assert all(same.context[symbol][1].equals(bars) for symbol, (_, bars) in one.context.items())
    assert not other.bars["SYN001.NS"].equals(one.bars["SYN001.NS"])


def test_every_bar_passes_the_sieve(market: SyntheticMarket) -> None:
    sessions = market.calendar.sessions
    for bars in market.bars.values():
        check_bars(bars, complete=True)
        assert bars.index.equals(sessions)
        assert sift_bars(bars, Series("A.NS", complete=True, sessions=sessions), rules=BarRules()).refused.empty
    for symbol, (_, bars) in market.context.items():
        check_bars(bars, complete=False)
        assert sift_bars(bars, Series(symbol, complete=False, sessions=None), rules=BarRules()).refused.empty


def test_sessions_are_those_of_both_exchanges(market: SyntheticMarket) -> None:
    sessions, nights = market.calendar.sessions, market.context[GAP_LEADER][1].index
    assert (sessions[0], sessions[-1]) == (pd.Timestamp("2014-01-01"), pd.Timestamp("2021-12-31"))
    assert pd.Timestamp("2021-11-04") in sessions  # Diwali, an hour in the evening
    assert pd.Timestamp("2021-11-25") in sessions
    assert pd.Timestamp("2021-11-25") not in nights  # Thanksgiving
    assert pd.Timestamp("2021-08-19") not in sessions  # Muharram
    assert pd.Timestamp("2021-08-19") in nights


@pytest.mark.parametrize(("auc", "seed"), [(0.55, 1), (0.65, 2), (0.75, 3), (0.9, 4)])
def test_the_oracle_has_the_auc_that_was_asked_for(auc: float, seed: int) -> None:
    market = simulate_market(SyntheticOptions(auc=auc, years=10, symbols=3, seed=seed))
    for scored in oracle_scored(market).values():
        area = pooled_auc(scored)
        assert area.value == pytest.approx(auc, abs=3 * area.standard_error)


def test_what_the_oracle_says_comes_true_as_often_as_it_says(market: SyntheticMarket) -> None:
    for scored in oracle_scored(market).values():
        said, came = scored.flat()
        bins = np.digitize(said, [0.2, 0.4, 0.6, 0.8])
        for one in range(5):
            among = bins == one
            # Stocks of a session move together: four of them say about as much as two.
            error = np.sqrt(0.25 / (among.sum() / 2))
            assert came[among].mean() == pytest.approx(said[among].mean(), abs=4 * error)


def test_a_null_market_has_nothing_to_know(null: SyntheticMarket) -> None:
    assert np.nanmin(null.probability) == np.nanmax(null.probability) == 0.5
    leader = log_change(null.context[GAP_LEADER][1])
    bars = null.bars["SYN001.NS"]
    gap = (bars["open"] / bars["close"].shift(1)).apply(np.log)
    before = leader.shift(1).reindex(gap.index)
    assert abs(before.corr(gap)) < 4 / np.sqrt(len(gap))


@pytest.mark.parametrize(("label", "leader"), [("gap", GAP_LEADER), ("open_to_close", DAY_LEADER)])
def test_the_oracle_follows_from_bars_known_at_the_decision(market: SyntheticMarket, label: str, leader: str) -> None:
    """Without the unknown volatility and coupling, it is linear in the news and in the stock's last bar."""
    fear = market.context[FEAR][1]["close"]
    quoted = (fear / FEAR_AT_USUAL_LEVEL).to_numpy()
    known_at = available_at(pd.DatetimeIndex(fear.index), "XNYS", delay_min=60)
    newest = newest_known(known_at, market.calendar.decisions(market.market().decision_time))
    nights = log_change(market.context[leader][1]).to_numpy() / quoted[:-1]
    news = np.diff(np.concatenate([[0.0], np.cumsum(nights)])[newest], prepend=0.0)
    level, turn = quoted[newest], np.where(quoted[newest] > STORMY, -1.0, 1.0)
    bars = market.bars["SYN003.NS"]
    start = bars["open"] if label == "open_to_close" else bars["close"].shift(1)
    end = bars["close"] if label == "open_to_close" else bars["open"]
    moved = (end / start).apply(np.log).to_numpy() / level
    score = stats.t.ppf(market.probability[2, :, ORACLE_LABELS.index(label)], DEGREES_OF_FREEDOM)
    known = np.stack([news[3:], turn[3:] * moved[2:-1], turn[3:] * score[2:-1]])
    weights = np.linalg.lstsq(known.T, score[3:])[0]
    assert weights @ known == pytest.approx(score[3:], abs=1e-3)


def test_what_is_decided_does_not_hang_on_what_follows(market: SyntheticMarket) -> None:
    timeline = make_timeline(market.options)
    drivers = draw_drivers(timeline, 2, np.random.default_rng(0))
    row = 500
    later = drivers.surprises.copy()
    later[..., row:] += 1.0
    parts = drivers.night_parts.copy()
    parts[..., timeline.newest[row] + 1 :] += 1.0
    changed = replace(drivers, surprises=later, night_parts=parts)
    assert np.array_equal(changed.known[..., : row + 1], drivers.known[..., : row + 1])
    assert not np.array_equal(changed.known[..., row + 1], drivers.known[..., row + 1])


def test_returns_have_fat_tails_and_volatility_clusters(null: SyntheticMarket) -> None:
    for bars in null.bars.values():
        change = log_change(bars).to_numpy()
        assert stats.kurtosis(change) > 2
        sizes = np.abs(change)
        assert np.mean([np.corrcoef(sizes[lag:], sizes[:-lag])[0, 1] for lag in range(1, 11)]) > 0.05
        assert abs(np.corrcoef(change[1:], change[:-1])[0, 1]) < 0.1


def test_stocks_move_together(null: SyntheticMarket) -> None:
    changes = pd.DataFrame({symbol: log_change(bars) for symbol, bars in null.bars.items()})
    pairs = changes.corr().to_numpy()[np.triu_indices(4, 1)]
    assert pairs.mean() == pytest.approx(COMMON_SHARE, abs=0.06)


def test_volatility_has_calm_times_and_storms() -> None:
    levels = volatility_levels(20_000, np.random.default_rng(1))
    logs = np.log(levels)
    assert np.corrcoef(logs[1:], logs[:-1])[0, 1] > 0.95
    stormy = levels > STORMY
    assert 0.15 < stormy.mean() < 0.4
    assert np.median(levels[stormy]) / np.median(levels[~stormy]) == pytest.approx(2.0, abs=0.4)


def test_the_files_oracle_has_a_row_for_every_session_but_the_first(market: SyntheticMarket) -> None:
    rows = market.oracle()
    assert list(rows.columns) == ["session", "symbol", "label", "probability"]
    assert len(rows) == (len(market.calendar.sessions) - 1) * 4 * 3
    assert rows["probability"].between(0, 1, inclusive="neither").all()
    one = rows[(rows["symbol"] == "SYN003.NS") & (rows["label"] == "open_to_close")].set_index("session")
    assert one["probability"].to_numpy() == pytest.approx(market.probability[2, 1:, 2])


def test_the_oracle_recovers_itself_and_what_sees_the_future_lies_beyond_it(market: SyntheticMarket) -> None:
    oracle = oracle_scored(market)["gap"]
    itself = recover(oracle, market)
    assert itself.share == pytest.approx(1.0)
    assert not itself.beyond
    peeked = oracle.saying(np.where(np.isnan(oracle.outcome), np.nan, 0.9 * oracle.probability + 0.1 * oracle.outcome))
    assert recover(peeked, market).beyond
    weaker = oracle.saying(np.random.default_rng(0).random(oracle.outcome.shape))
    assert not recover(weaker, market).beyond
    assert abs(recover(weaker, market).share) < 0.2


def test_a_label_without_an_oracle_is_refused(market: SyntheticMarket) -> None:
    barrier = replace(oracle_scored(market)["gap"], label="barrier")
    with pytest.raises(ValueError, match="the oracle knows gap"):
        recover(barrier, market)


@pytest.mark.parametrize(("field", "value"), [("auc", 0.49), ("auc", 0.95), ("years", 0), ("symbols", 0), ("seed", -1)])
def test_options_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        SyntheticOptions.model_validate({field: value})


def test_a_market_may_end_on_any_day() -> None:
    options = SyntheticOptions(years=2, last=date(2024, 2, 29))
    assert options.first == date(2022, 3, 1)
